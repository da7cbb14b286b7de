// What every peer in Node shares: its order, the jobs it fills in, and the way to the sink.
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

import { Pool, request } from "undici";

const IN_FLIGHT = 50; // so many requests at most, for every peer
const PAYLOAD_BYTES = 600;
const FILL_CHUNK = 1000;

const GAP_MS = [20, 60]; // between jobs that come one at a time; by chance, lest they fall in step with anything

/** Gives the payloads of all jobs, many at a time; each takes 600 bytes as JSON. */
export function* chunks(order) {
  for (let first = 0; first < order.jobs; first += FILL_CHUNK) {
    const length = Math.min(FILL_CHUNK, order.jobs - first);
    yield Array.from({ length }, (_, place) => payload(first + place));
  }
}

function payload(number) {
  const start = { job: String(number).padStart(7, "0"), text: "" };
  return { ...start, text: "x".repeat(PAYLOAD_BYTES - JSON.stringify(start).length) };
}

/** Gives a function that sends one payload; it fails if the sink does not say 201. */
export function sender(order) {
  const sink = new Pool(order.sink, { connections: IN_FLIGHT, pipelining: 1 });
  const headers = { "content-type": "application/json" };
  return async (payload) => {
    const body = JSON.stringify(payload);
    const answer = await sink.request({ path: "/", method: "POST", headers, body });
    await answer.body.dump();
    if (answer.statusCode !== 201) throw new Error(`the sink answers ${answer.statusCode}`);
  };
}

/** Enqueues a job when the one before has arrived; prints the moment before each call, its commit included. */
export async function oneByOne(order, enqueue) {
  const begun = {};
  let number = 0;
  for (const chunk of chunks(order)) {
    for (const payload of chunk) {
      begun[payload.job] = Number(process.hrtime.bigint()) / 1e9;
      await enqueue(payload);
      number += 1;
      await (await request(`${order.sink}/_sink/until/${number}`)).body.dump();
      await sleep(GAP_MS[0] + Math.random() * (GAP_MS[1] - GAP_MS[0]));
    }
  }
  console.log(JSON.stringify(begun));
}

/** Does what the command line says: `fill ORDER`, `drain ORDER` or `trickle ORDER`; draining does not end. */
export async function run(steps) {
  const [step, path] = process.argv.slice(2);
  await steps[step](JSON.parse(await readFile(path, "utf8")));
}

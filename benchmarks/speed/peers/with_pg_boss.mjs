// pg-boss: woken by NOTIFY, two workers with batches of 500, fetched without a pause; each settled as a whole.
import { PgBoss } from "pg-boss";

import { chunks, oneByOne, run, sender } from "./posting.mjs";

const QUEUE = "sends";

async function started(order) {
  const boss = new PgBoss({ connectionString: order.database, useListenNotify: true });
  boss.on("error", console.error);
  await boss.start();
  return boss;
}

async function fill(order) {
  const boss = await started(order);
  await boss.createQueue(QUEUE, { notify: true });
  for (const chunk of chunks(order)) {
    await boss.insert(QUEUE, chunk.map((data) => ({ data })));
  }
  await boss.stop();
}

async function drain(order) {
  const boss = await started(order);
  const send = sender(order);
  const options = { batchSize: 500, localConcurrency: 2, burstWhenBatchFull: true };
  await boss.work(QUEUE, options, (jobs) => Promise.all(jobs.map((job) => send(job.data))));
}

async function trickle(order) {
  const boss = await started(order);
  await oneByOne(order, (payload) => boss.send(QUEUE, payload));
  await boss.stop();
}

await run({ fill, drain, trickle });

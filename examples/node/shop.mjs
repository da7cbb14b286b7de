// A shop in Node without any package: it keeps orders, and enqueues their notifications over HTTP.
//
// XNOVU_API_URL=http://127.0.0.1:4000 XNOVU_API_KEY=… node shop.mjs 4100
//
// With a connection to the database you need no API and no second try: inside your own transaction, with the package pg,
//
//   await client.query("BEGIN");
//   await client.query("INSERT INTO shop_order (number, customer) VALUES ($1, $2)", [42, "user-17"]);
//   await client.query("SELECT set_config('app.current_enterprise_id', $1, true)", ["acme"]);
//   await client.query("SELECT notify.enqueue($1, $2, $3, $4)", ["acme", "order-shipped", ["user-17"], { order: 42 }]);
//   await client.query("COMMIT");

import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

const { XNOVU_API_URL, XNOVU_API_KEY } = process.env;
const UNSERVED = [408, 429, 500, 502, 503, 504];
const orders = new Map();

/** Enqueue a notification once, however often the call is repeated under its key. */
async function enqueue(notification, key) {
  for (let tried = 1; ; tried += 1) {
    const answer = await fetch(`${XNOVU_API_URL}/api/notifications`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${XNOVU_API_KEY}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(notification),
      signal: AbortSignal.timeout(10_000),
    }).catch(() => null);
    if (answer && !UNSERVED.includes(answer.status)) {
      return { accepted: answer.ok, ...(await answer.json()) };
    }
    if (tried === 5) {
      throw new Error("the API does not answer; call again with the same key");
    }
    await pause(Number(answer?.headers.get("retry-after") ?? 0) * 1000 + 100 * 2 ** tried);
  }
}

/** Take an order. It counts only if its notification is written, or was written by an earlier call. */
async function ship(request) {
  if (request.method !== "POST" || request.url !== "/orders") {
    return [404, { error: "POST /orders" }];
  }
  const { number, customer } = JSON.parse(Buffer.concat(await request.toArray()));
  const notification = { workflow_key: "order-shipped", recipients: [customer], payload: { order: number } };
  const made = await enqueue(notification, `order-${number}`);
  if (!made.accepted) {
    return [422, { error: made.errors?.[0]?.detail ?? made.title }];
  }
  orders.set(number, customer);
  return [201, { notification: made.id, orders: orders.size }];
}

createServer(async (request, response) => {
  const [status, body] = await ship(request).catch((error) => [503, { error: error.message }]);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}).listen(Number(process.argv[2]), "127.0.0.1");

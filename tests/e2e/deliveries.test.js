// What connectors send, on the real thing: D1, cron and queue of workerd, and a receiver on loopback.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { attemptsOf, deliveriesOf, insertConnector, insertDeliveries } from "./support/outbox.js";
import { startReceiver } from "./support/receiver.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, receiver;
before(async () => {
  receiver = await startReceiver();
  worker = await startWorker();
  await createNamespace(worker, "demo");
});
after(async () => {
  await worker?.stop();
  await receiver?.stop();
});

test("the cron job sends what is due, once, and writes down what became of it", async () => {
  await insertConnector(worker, "demo", 1, { method: "POST", url: `${receiver.origin}/ok`, parameters: [{ name: "value", value: "{{VALUE}}" }] });
  await insertDeliveries(worker, "demo", 1, 3);
  await worker.tick();
  await worker.tick();
  const got = receiver.at("/ok");
  assert.equal(got.length, 3);
  assert.deepEqual([got[0].method, got[0].body, got[0].headers["content-type"]], ["POST", "value=15", "application/x-www-form-urlencoded"]);
  const deliveries = await deliveriesOf(worker, "demo", 1);
  assert.deepEqual(got.map(({ headers }) => headers["webhook-id"]).sort(), deliveries.map((one) => one.delivery_id).sort());
  for (const { state, attempts, due_at, lease } of deliveries) assert.deepEqual([state, attempts, due_at, lease], ["delivered", 1, null, null]);
  const [line] = await attemptsOf(worker, "demo", 1);
  assert.deepEqual([line.attempt, line.method, line.url, line.status, line.error], [1, "POST", `${receiver.origin}/ok`, 200, null]);
  assert.equal(line.answer.length, 1024);
});

// Promise 5 of the design: every delivery arrives, also if the worker is killed between a commit and its sending, or in
// the middle of sending; a repeat has the name of the first.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { insertConnector, insertDeliveries } from "./support/outbox.js";
import { startReceiver } from "./support/receiver.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, receiver;
before(async () => {
  receiver = await startReceiver();
  worker = await startWorker();
});
after(async () => {
  await worker?.stop();
  await receiver?.stop();
});

/** The end of every lease, as if its time had passed. */
const expire = () => worker.query("UPDATE deliveries SET due_at = ?1 WHERE lease IS NOT NULL", Date.now());

test("what was committed before a kill is sent after the restart", async () => {
  const shop = await createNamespace(worker, "between");
  const scene = await shop.campaign();
  const webhook = { method: "GET", url: `${receiver.origin}/between`, parameters: [{ name: "id", value: "{{ORDER_ID}}" }] };
  await shop.create("connectors", { name: "told", mode: "enabled", events: ["Purchase"], webhook, is_webhook_on: true });
  for (let sale = 0; sale < 20; sale++) await shop.postback({ click_id: await shop.clickId(scene), order_id: `o-${sale}` });
  assert.equal(receiver.at("/between").length, 0, "there is no queue, and the cron job has not run");
  await worker.kill();
  await worker.restart();
  await worker.tick();
  const told = new Set(receiver.at("/between").map(({ url }) => url));
  assert.equal(told.size, 20);
});

test("what a kill interrupts is sent again under the same name, and nothing is lost", async (t) => {
  await createNamespace(worker, "during");
  await insertConnector(worker, "during", 1, { method: "POST", url: `${receiver.origin}/during` });
  await insertDeliveries(worker, "during", 1, 300);
  let kills = 0;
  for (const after of [20, 90, 160]) {
    // The tick ends with the worker.
    const tick = worker.tick().catch(() => {});
    await eventually(`${after} requests`, () => receiver.at("/during").length >= after, { every: 1 });
    await worker.kill();
    await tick;
    kills += 1;
    await worker.restart();
    await expire();
  }
  for (let run = 0; run < 3; run++) await worker.tick();
  const rows = await worker.query("SELECT state, count(*) AS n FROM deliveries WHERE namespace = 'during' GROUP BY state");
  assert.deepEqual(rows, [{ state: "delivered", n: 300 }]);
  const ids = receiver.at("/during").map(({ headers }) => headers["webhook-id"]);
  t.diagnostic(`${kills} kills: ${ids.length} requests for 300 deliveries`);
  assert.equal(new Set(ids).size, 300);
  assert.ok(ids.length > 300, "no kill interrupted anything, so this test shows nothing");
});

test("a sale whose message is lost in a kill is told by the cron job", async () => {
  const prompt = await startWorker({ hasQueue: true });
  try {
    const shop = await createNamespace(prompt, "lost");
    const scene = await shop.campaign();
    const webhook = { method: "GET", url: `${receiver.origin}/lost`, parameters: [{ name: "id", value: "{{ORDER_ID}}" }] };
    await shop.create("connectors", { name: "told", mode: "enabled", events: ["Purchase"], webhook, is_webhook_on: true });
    const sell = async (order_id) => shop.postback({ click_id: await shop.clickId(scene), order_id });
    const isTold = (order_id) => receiver.at("/lost").some(({ url }) => url.endsWith(`=${order_id}`));
    for (let round = 0; round < 5; round++) {
      const [ahead, lost] = [`ahead-${round}`, `lost-${round}`];
      await sell(ahead);
      await eventually("the queue tells of a sale", () => isTold(ahead));
      // At most one message a second is sent, so that this sale has none of its own yet when its reply comes.
      await sell(lost);
      await prompt.kill();
      const isLost = !isTold(lost);
      await prompt.restart();
      if (!isLost) continue;
      const [{ state }] = await prompt.query("SELECT state FROM deliveries WHERE \"values\" ->> 'ORDER_ID' = ?1", lost);
      assert.equal(state, "waiting");
      await prompt.tick();
      assert.ok(isTold(lost));
      return;
    }
    assert.fail("each sale was told before the kill, so this test shows nothing");
  } finally {
    await prompt.stop();
  }
});

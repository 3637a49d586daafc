// Statuses on the real thing: D1 takes the statements that change many conversions at once, and two
// connections that change one at the same instant do not undo each other.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

async function sales(name, orders) {
  const shop = await createNamespace(worker, name);
  const scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
  const token = await shop.token("campaign", scene.campaign.id);
  const campaign_id = scene.campaign.id;
  const click_id = await shop.clickId(scene);
  for (let order = 0; order < orders; order++) {
    await shop.postback({ click_id, order_id: `O${order}`, amount: "10", token });
  }
  return { shop, token, click_id, campaign_id };
}

test("conversions are changed by postback, one by one and many at once, and the trail says so", async () => {
  const { shop, token, click_id, campaign_id } = await sales("statuses", 3);
  const order = { campaign_id, order_id: "O0", token };
  assert.equal((await shop.postback({ ...order, status: "rejected", reason: "fraud" })).verdict, "updated");
  assert.equal((await shop.postback({ ...order, status: "rejected" })).verdict, "duplicate");
  await shop.postback({ ...order, status: "refunded" }, 409);
  const all = { click_id, new_rejected_reason: "bot", all_events: "true", token };
  assert.equal((await shop.postback(all)).verdict, "updated");
  const items = [0, 1, 2, 3].map((number) => ({ campaign_id, order_id: `O${number}`, status: "approved" }));
  const { data, counts } = await shop.create("conversions/statuses", { items }, 200);
  assert.deepEqual(counts, { updated: 3, duplicate: 0, rejected: 1 });
  const { conversion_id } = data[0];
  const { data: trail } = await shop.get(`conversions/${conversion_id}/changes`);
  assert.deepEqual(trail.map((line) => line.after.status), ["rejected", "rejected", "approved"]);
  assert.deepEqual(trail.map((line) => line.by), ["postback", "postback", "key"]);
  const late = await shop.postback({ ...order, status: "rejected", reason: "fraud" });
  assert.deepEqual([late.verdict, late.current_status], ["duplicate", "approved"]);
});

test("of ten refunds at the same instant no more are taken than the sale has", async () => {
  const { shop, token, campaign_id } = await sales("refunds", 1);
  const refund = { campaign_id, order_id: "O0", status: "refunded", amount: "3", token };
  const ids = [...Array(10).keys()].map((number) => `r${number}`);
  const taken = new Set();
  // Whoever meets too many others is told 503 and sends again.
  await Promise.all(
    ids.map(async (refund_id) => {
      const { answer } = await shop.insist({ ...refund, refund_id });
      if (answer.status === 200) taken.add(refund_id);
      else assert.equal(answer.json.reason, "refund_too_large", answer.text);
    }),
  );
  assert.equal(taken.size, 3);
  const [conversion] = await shop.all("conversions");
  assert.deepEqual([conversion.status, conversion.revenue.amount, conversion.payout.amount], ["approved", "0.80", "0.50"]);
});

// Attribution without a click through the real stores: the upsert of a customer, and what D1 and KV make of a coupon.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("a coupon and a customer for life credit without a click, each order once, also at the same instant", async () => {
  const shop = await createNamespace(worker, "attribution");
  const place = await shop.campaign({ authentication: "token" });
  const [campaign_id, affiliate_id] = [place.campaign.id, place.affiliate.id];
  await shop.create("payouts", { campaign_id, is_lifetime: true, payout_fixed: "2.00" });
  const coupon = await shop.create("coupons", { campaign_id, affiliate_id, code: "Spring10" });
  assert.equal(coupon.ref_id, place.link.id);
  await shop.create("coupons", { campaign_id, affiliate_id, code: "SPRING10" }, 409);
  await shop.create("coupons", { campaign_id, affiliate_id: 77, code: "X" }, 400);
  const token = await shop.token("campaign", campaign_id);

  const byCoupon = { campaign_id, coupon: "SPRING10", order_id: "A", token };
  const told = await Promise.all([1, 2, 3, 4].map(() => shop.postback(byCoupon)));
  assert.deepEqual(told.map(({ verdict }) => verdict).sort(), ["duplicate", "duplicate", "duplicate", "recorded"]);
  assert.ok(told.every((reply) => reply.affiliate_id === affiliate_id && reply.payout.amount === "5.00"));
  await shop.postback({ ...byCoupon, coupon: "SPRING11", order_id: "B" }, 404);

  // Two first purchases at once: one customer, linked once.
  const first = async (order_id) =>
    shop.postback({ click_id: await shop.clickId(place), customer_id: "K", new_customer: "true", order_id, token });
  const both = await Promise.all([first("C"), first("D")]);
  assert.ok(both.every((reply) => reply.verdict === "recorded" && reply.payout.amount === "2.00"));
  const customers = await shop.all("customers");
  assert.deepEqual(customers.map((customer) => [customer.customer_id, customer.affiliate_id, customer.ref_id]), [
    ["K", affiliate_id, place.link.id],
  ]);
  const later = await shop.postback({ campaign_id, customer_id: "K", order_id: "E", token });
  assert.deepEqual([later.verdict, later.click_id, later.payout.amount], ["recorded", null, "2.00"]);

  const imported = await shop.create("customers", { customers: [{ campaign_id, customer_id: "L", affiliate_id }] });
  await shop.patch(`customers/${imported.data[0].id}`, { affiliate_id: null });
  await shop.postback({ campaign_id, customer_id: "L", order_id: "F", token }, 422);
});

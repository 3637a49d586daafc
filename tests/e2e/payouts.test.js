// Payout rules and rates through the real stores: D1 binds numbers as doubles, and configuration comes from KV.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("a personal percentage of an amount in another currency is paid, explained, and kept with its rate", async () => {
  const shop = await createNamespace(worker, "payouts");
  // Before the first click, so that nothing of the campaign is in memory yet.
  const place = await shop.campaign({ authentication: "token" });
  const rule = await shop.create("payouts", {
    campaign_id: place.campaign.id,
    affiliate_id: place.affiliate.id,
    goal: "shoes",
    payout_type: "cps",
    payout_percent: "12.5",
    payout_max: "999999999999.99",
    default_status: "pending",
  });
  assert.equal(rule.payout_max, "999999999999.99");
  const rate = { from_currency: "KWD", to_currency: "USD", rate: "3.2500000001", valid_from: "2026-01-01T00:00:00Z" };
  assert.equal((await shop.create("rates", rate)).rate, "3.2500000001");
  await shop.create("rates", rate, 409);
  await shop.create("payouts", { campaign_id: place.campaign.id, affiliate_id: 77 }, 400);
  const token = await shop.token("campaign", place.campaign.id);

  const sale = { click_id: await shop.clickId(place), amount: "100.001", currency: "KWD", goal: "shoes", token };
  const told = await shop.postback(sale);
  assert.deepEqual(told.payout, { amount: "40.63", currency: "USD" });
  assert.equal(told.status, "pending");
  const kept = await shop.get(`conversions/${told.conversion_id}`);
  assert.equal(kept.exchange_rate, "3.2500000001");
  assert.deepEqual(kept.amount, { amount: "325.00", currency: "USD" });
  assert.match(kept.explanation.payout, /^payout rule 1 \(affiliate 1, goal "shoes"\), cps: .* lost: the campaign's own rule$/);
  assert.match(kept.explanation.exchange, /^1 KWD = 3\.2500000001 USD, of the rate table/);

  const refused = await shop.postback({ ...sale, click_id: await shop.clickId(place), currency: "EUR" }, 422);
  assert.equal(refused.reason, "no_exchange_rate");
});

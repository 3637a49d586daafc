// Events on the real D1: each way to be a repeat and each way to find the initial conversion has
// statements of its own.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("events follow their initial conversion, and each counts as its campaign says", async () => {
  const shop = await createNamespace(worker, "events");
  const place = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
  const token = await shop.token("campaign", place.campaign.id);
  for (const repeat of ["once", "per_order", "every_request"]) {
    await shop.create("events", { campaign_id: place.campaign.id, name: repeat, repeat, payout_fixed: "2.00", window_days: 9 });
  }
  const { data } = await shop.get(`campaigns/${place.campaign.id}/postback-urls`);
  assert.deepEqual(data.map((entry) => entry.event?.name), [undefined, "once", "per_order", "every_request"]);

  const click_id = await shop.clickId(place);
  const report = (parameters, expect) => shop.postback({ token, ...parameters }, expect);
  assert.equal((await report({ click_id, event_id: 1 }, 422)).reason, "no_conversion_for_event");
  assert.equal((await report({ click_id, order_id: "P" })).verdict, "recorded");
  const byClick = { click_id };
  const byParent = { campaign_id: place.campaign.id, parent_order_id: "P" };
  for (const [event_name, found, order_id] of [
    ["once", byClick],
    ["per_order", byClick, "A"],
    ["per_order", byParent, "B"],
    ["every_request", byClick],
    ["every_request", byParent],
    ["every_request", byParent, "C"],
  ]) {
    const parameters = { event_name, ...found, ...(order_id && { order_id }) };
    const first = await report(parameters);
    assert.equal(first.verdict, "recorded", JSON.stringify(parameters));
    assert.deepEqual([first.event.name, first.payout.amount, first.click_id], [event_name, "2.00", click_id]);
    assert.equal((await report(parameters)).verdict, "duplicate", JSON.stringify(parameters));
  }
  assert.equal((await report({ event_name: "once", ...byParent })).verdict, "duplicate");
  assert.equal((await shop.all("conversions")).length, 7);
});

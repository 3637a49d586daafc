// Rules for clicks that deserve no money on the real workerd: the visitor's network gets from the entry into the module only
// where a campaign looks at it, and conversions are examined behind their replies, or by the cron job.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fullDay } from "./support/day.js";
import { eventually } from "./support/eventually.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => { worker = await startWorker(); });
after(() => worker?.stop());

const from = (address) => ({ headers: { "cf-connecting-ip": address } });

async function scene(name, settings) {
  // Of another day the same visitor is a stranger.
  await fullDay("UTC");
  const shop = await createNamespace(worker, name);
  const place = await shop.campaign({ authentication: "token", ...settings });
  const token = await shop.token("campaign", place.campaign.id);
  const report = (click_id, order_id) => shop.postback({ click_id, order_id, token });
  const conversion = async (order_id) => (await shop.all("conversions", { order_id }))[0];
  const isStored = (id) => eventually("the click is stored", async () => (await shop.all("clicks")).some((click) => click.click_id === id));
  return { shop, place, report, conversion, isStored };
}

test("a later click of the same visitor, and a second sale from one address, are stopped behind the reply", async () => {
  const settings = { duplicate_click_action: "hold", ip_cool_down_action: "reject" };
  const { shop, place, report, conversion, isStored } = await scene("visitors", settings);
  const first = await shop.clickId(place, {}, from("203.0.113.7"));
  const later = await shop.clickId(place, {}, from("203.0.113.7"));
  const other = await shop.clickId(place, {}, from("203.0.113.8"));
  for (const id of [first, later, other]) await isStored(id);

  assert.equal((await report(first, "A")).status, "approved");
  await eventually("the first one is examined", async () => (await explain(shop, "A")).some((because) => because.startsWith("found nothing")));
  assert.equal((await report(later, "B")).status, "approved");
  await eventually("the second one is stopped", async () => (await conversion("B")).status === "rejected");
  const stopped = await conversion("B");
  assert.match(stopped.status_reason, /^rule ip_cool_down: /);
  assert.match(stopped.explanation.rule, /duplicate_click \(hold\): .*ip_cool_down \(reject\): /);
  assert.equal((await report(other, "C")).status, "approved");
  await eventually("the third one is examined", async () => (await explain(shop, "C")).length === 1 && (await explain(shop, "C"))[0].startsWith("found"));
  assert.deepEqual([(await conversion("A")).status, (await conversion("C")).status], ["approved", "approved"]);
  const stored = await worker.query("SELECT (SELECT json_group_array(address) FROM clicks) || (SELECT json_group_array(visitor) FROM visitor_clicks) AS kept");
  assert.doesNotMatch(stored[0].kept, /203\.0/);
});

test("the rules of the id are in the reply, and a sale before its click's row is examined by the cron job", async () => {
  const { shop, place, report, conversion, isStored } = await scene("rows", { duplicate_click_action: "hold", too_fast_action: "hold", too_fast_seconds: 86_400 });
  const fast = await report(await shop.clickId(place, {}, from("203.0.113.9")), "A");
  assert.equal(fast.status, "hold");
  assert.ok(fast.warnings.some(({ code }) => code === "stopped_by_rule"), JSON.stringify(fast.warnings));

  await shop.patch(`campaigns/${place.campaign.id}`, { too_fast_action: "off" });
  const id = await shop.clickId(place, {}, from("203.0.113.9"));
  assert.equal((await report(id, "B")).status, "approved");
  await isStored(id);
  await worker.tick();
  assert.equal((await conversion("B")).status, "hold");
});

/** What the story of an order says of examinations. */
async function explain(shop, order) {
  const { timeline } = await shop.get(`explain?order_id=${order}`);
  return timeline.filter(({ what }) => what === "examined").map(({ because }) => because);
}

// Caps on the real thing: D1 runs the triggers, the runtime knows the time zones, and of many who want
// the last place at the same instant one gets it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fullDay } from "./support/day.js";
import { eventually } from "./support/eventually.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const CONCURRENT = 50;

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

/** A shop with one cap of `limit` conversions a day, and `CONCURRENT` clicks, all but one place used. */
async function lastPlace(name, mode, limit = 3) {
  const today = await fullDay("America/New_York");
  const shop = await createNamespace(worker, name, { time_zone: "America/New_York" });
  const scene = await shop.campaign({ authentication: "token" });
  const token = await shop.token("campaign", scene.campaign.id);
  const cap = { campaign_id: scene.campaign.id, what: "conversions", period: "day", conversions_limit: limit, mode };
  await shop.create("caps", cap);
  const sell = async (click_id) => (await shop.attempt({ click_id, token })).json;
  for (let sale = 1; sale < limit; sale++) {
    assert.equal((await sell(await shop.clickId(scene))).status, "approved");
  }
  const clicks = await Promise.all(Array.from({ length: CONCURRENT }, () => shop.clickId(scene)));
  return { shop, scene, sell, clicks, today };
}

test("of fifty postbacks for the last place of a hard cap one is recorded and the others are capped", async () => {
  const { shop, scene, sell, clicks, today } = await lastPlace("hard", "hard");
  const replies = await Promise.all(clicks.map(sell));
  const count = (word) => replies.filter(({ verdict, reason }) => (reason ?? verdict) === word).length;
  assert.deepEqual([count("recorded"), count("capped")], [1, CONCURRENT - 1], JSON.stringify(replies[0]));
  const used = await worker.query("SELECT conversions, payout, day FROM cap_uses WHERE namespace = 'hard'");
  assert.deepEqual(used, [{ conversions: 3, payout: 1500, day: today }]);
  const capped = replies.find(({ reason }) => reason === "capped");
  assert.match(capped.detail, new RegExp(`cap 1 is full: 3 of 3 conversions on ${today}`));

  // A minute later the links lead nowhere; a place that becomes free opens them again.
  await worker.tick();
  await shop.click({ ref_id: scene.link.id }, { expect: 404 });
  const [{ conversion_id }] = await shop.all("conversions");
  await shop.patch(`conversions/${conversion_id}`, { status: "rejected" });
  await worker.tick();
  await shop.click({ ref_id: scene.link.id }, { expect: 302 });
});

test("of fifty postbacks for the last place of a soft cap one is approved and the others wait", async () => {
  const { sell, clicks } = await lastPlace("soft", "soft");
  const replies = await Promise.all(clicks.map(sell));
  assert.ok(replies.every(({ verdict }) => verdict === "recorded"));
  const count = (word) => replies.filter(({ status }) => status === word).length;
  assert.deepEqual([count("approved"), count("pending")], [1, CONCURRENT - 1]);
});

test("a full cap of clicks leads visitors to traffic-back until it is raised, and refuses no postback", async () => {
  const today = await fullDay("Asia/Kathmandu");
  const shop = await createNamespace(worker, "clicks", { time_zone: "Asia/Kathmandu" });
  const scene = await shop.campaign({ authentication: "token", traffic_back_url: "https://back.example/full" });
  const token = await shop.token("campaign", scene.campaign.id);
  const early = await shop.clickId(scene);
  const cap = { campaign_id: scene.campaign.id, what: "clicks", period: "day", clicks_limit: 3, mode: "hard" };
  const { id } = await shop.create("caps", cap);
  const location = async () => (await shop.click({ ref_id: scene.link.id })).location;
  for (let click = 2; click <= 3; click++) assert.match(await location(), /click_id=/);
  const stored = async () => (await worker.query("SELECT count(*) AS n FROM clicks WHERE namespace = 'clicks'"))[0].n;
  await eventually("the clicks are written", async () => (await stored()) === 3);

  // Most of the day may be over: it is counted at two hours a minute.
  for (let minute = 0; minute < 14; minute++) await worker.tick();
  const used = await worker.query("SELECT clicks, day FROM cap_uses WHERE namespace = 'clicks'");
  assert.deepEqual(used, [{ clicks: 3, day: today }]);
  assert.equal(await location(), "https://back.example/full");
  assert.equal((await shop.postback({ click_id: early, token })).status, "approved");

  await shop.patch(`caps/${id}`, { clicks_limit: 4 });
  await worker.tick();
  assert.match(await location(), /click_id=/);
});

test("a time zone is one that the runtime knows", async () => {
  const shop = await createNamespace(worker, "zones");
  for (const time_zone of ["Europe/Paris", "Asia/Kathmandu", "Pacific/Chatham", "UTC"]) {
    await shop.patch("namespaces/zones", { time_zone });
  }
  await shop.patch("namespaces/zones", { time_zone: "Europe/Atlantis" }, 400);
});

test("with caps of every kind, its affiliate's own among them, a conversion is one round trip and seven written rows", async (t) => {
  const shop = await createNamespace(worker, "rows");
  const scene = await shop.campaign({ authentication: "token" });
  const token = await shop.token("campaign", scene.campaign.id);
  for (const affiliate_id of [null, scene.affiliate.id]) {
    for (const period of ["day", "month", "total"]) {
      const cap = { campaign_id: scene.campaign.id, affiliate_id, period, mode: "hard" };
      await shop.create("caps", { ...cap, what: "conversions", conversions_limit: 1000 });
      await shop.create("caps", { ...cap, what: "payout", amount_limit: "9000.00" });
    }
  }
  const clicks = [];
  for (let i = 0; i < 21; i++) clicks.push(await shop.clickId(scene));
  await shop.postback({ click_id: clicks.pop(), order_id: "first", token });
  const stored = async () => (await worker.query("SELECT count(*) AS n FROM clicks WHERE namespace = 'rows'"))[0].n;
  await eventually("the clicks are written", async () => (await stored()) === 21);
  await worker.counts({ reset: true });
  for (const [i, click_id] of clicks.entries()) {
    assert.equal((await shop.postback({ click_id, order_id: `order-${i}`, token })).verdict, "recorded");
  }
  const counts = await worker.counts();
  t.diagnostic(JSON.stringify(counts));
  assert.ok(counts.batches <= 22, `${counts.batches} round trips`);
  assert.ok(counts.rowsWritten <= 20 * 7, `${counts.rowsWritten} rows written`);
});

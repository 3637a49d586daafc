// Configuration is read from memory, but an edit is visible at once in the isolate that made it, and what does not exist is
// remembered as well.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { CLICK_ID, clickIdIn, createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "edits");
});
after(() => worker?.stop());

const target = (answer) => answer.location.replace(/[?&]click_id=[A-Za-z0-9_-]{48}$/, "");
const click = ({ campaign, link }, expect) => shop.click({ campaign_id: campaign.id, ref_id: link.id }, { expect });

test("a changed landing page takes the next click", async () => {
  const scene = await shop.campaign();
  assert.equal(target(await click(scene)), "https://shop.example/landing");
  await shop.patch(`landing-pages/${scene.landingPage.id}`, { url: "https://shop.example/autumn" });
  assert.equal(target(await click(scene)), "https://shop.example/autumn");
});

test("a new default landing page takes the next click", async () => {
  const scene = await shop.campaign();
  await click(scene);
  await shop.create("landing-pages", { campaign_id: scene.campaign.id, name: "New", url: "https://shop.example/new", is_default: true });
  assert.equal(target(await click(scene)), "https://shop.example/new");
});

test("a paused campaign has no destination but its traffic-back URL, and still converts earlier clicks", async () => {
  const scene = await shop.campaign();
  const earlier = clickIdIn((await click(scene)).location);

  await shop.patch(`campaigns/${scene.campaign.id}`, { state: "paused" });
  const nowhere = await click(scene, 404);
  assert.deepEqual(nowhere.cookies, []);
  assert.equal(nowhere.location, undefined);
  await shop.patch(`campaigns/${scene.campaign.id}`, { traffic_back_url: "https://shop.example/closed?c={campaign_id}" });
  const back = await click(scene);
  assert.equal(back.location, `https://shop.example/closed?c=${scene.campaign.id}`);
  assert.deepEqual(back.cookies, []);

  const reply = await shop.postback({ click_id: earlier, order_id: "late" });
  assert.equal(reply.verdict, "recorded");

  await shop.patch(`campaigns/${scene.campaign.id}`, { state: "active" });
  assert.match(clickIdIn((await click(scene)).location), CLICK_ID);
});

test("an archived campaign refuses new conversions", async () => {
  const scene = await shop.campaign();
  const earlier = clickIdIn((await click(scene)).location);
  await shop.patch(`campaigns/${scene.campaign.id}`, { state: "archived" });
  const reply = await shop.postback({ click_id: earlier, order_id: "too-late" }, 422);
  assert.equal(reply.reason, "campaign_archived");
});

test("an archived link takes no clicks, and its earlier ones convert", async () => {
  const scene = await shop.campaign();
  const earlier = clickIdIn((await click(scene)).location);
  await shop.patch(`links/${scene.link.id}`, { state: "archived" });
  await click(scene, 404);
  assert.equal((await shop.postback({ click_id: earlier, order_id: "of-an-archived-link" })).verdict, "recorded");
});

test("a blocked affiliate's link takes no clicks", async () => {
  const scene = await shop.campaign();
  await click(scene);
  await shop.patch(`affiliates/${scene.affiliate.id}`, { state: "blocked" });
  await click(scene, 404);
});

test("an unknown link is remembered: asking again does not reach D1", async () => {
  const scene = await shop.campaign();
  const unknown = { campaign: scene.campaign, link: { id: 4_000_000_000 } };
  await click(unknown, 404);
  // Pages are written in their order: with this click's, those of the tests before are written.
  const last = clickIdIn((await click(scene)).location);
  await eventually("the clicks are written", async () => (await worker.query("SELECT 1 FROM clicks WHERE click_id = ?1", last)).length === 1);
  await worker.counts({ reset: true });
  for (let i = 0; i < 50; i++) await click(unknown, 404);
  const { statements } = await worker.counts();
  assert.ok(statements <= 2, `${statements} statements for 50 clicks`);
});

test("a link that was unknown works as soon as it is created", async () => {
  const scene = await shop.campaign();
  const next = { campaign: scene.campaign, link: { id: scene.link.id + 1 } };
  await click(next, 404);
  const link = await shop.create("links", { campaign_id: scene.campaign.id, affiliate_id: scene.affiliate.id });
  assert.equal(link.id, next.link.id);
  assert.match(clickIdIn((await click(next)).location), CLICK_ID);
});

test("a known link is read from memory: clicks do not reach D1 or KV for configuration", async () => {
  const scene = await shop.campaign();
  await click(scene);
  await worker.counts({ reset: true });
  for (let i = 0; i < 50; i++) await click(scene);
  const { gets } = await worker.counts();
  assert.ok(gets <= 3, `${gets} reads of KV for 50 clicks`);
});

test("a revoked token is refused at once, and a second one is valid beside the first", async () => {
  const scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
  const clickId = clickIdIn((await click(scene)).location);
  const [old, fresh] = [
    await shop.create("tokens", { level: "campaign", level_id: scene.campaign.id }),
    await shop.create("tokens", { level: "campaign", level_id: scene.campaign.id }),
  ];
  await shop.postback({ click_id: clickId, order_id: "1", token: old.token });
  await shop.postback({ click_id: clickId, order_id: "2", token: fresh.token });
  await shop.remove(`tokens/${old.id}`);
  const refused = await shop.postback({ click_id: clickId, order_id: "3", token: old.token }, 401);
  assert.equal(refused.reason, "bad_token");
  await shop.postback({ click_id: clickId, order_id: "3", token: fresh.token });
});

test("an archived link of many made at once leaves the others alone", async () => {
  const scene = await shop.campaign();
  const { data } = await shop.create("links", {
    links: Array.from({ length: 200 }, () => ({ campaign_id: scene.campaign.id, affiliate_id: scene.affiliate.id })),
  });
  assert.equal(new Set(data.map((link) => link.id)).size, 200);
  await shop.patch(`links/${data[0].id}`, { state: "archived" });
  await click({ campaign: scene.campaign, link: data[0] }, 404);
  for (const link of [data[1], data[199]]) await click({ campaign: scene.campaign, link });
});

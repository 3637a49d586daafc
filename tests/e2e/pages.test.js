// Clicks are written behind the reply, a page at a time. Whatever becomes of the request that opened a page, of D1 and of
// the isolate, its clicks are in D1 once in the end.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { readClickId } from "./support/click_id.js";
import { eventually } from "./support/eventually.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const PAGE_MS = 25;

let worker, shop, scene;
before(async () => {
  worker = await startWorker({ vars: { CLICK_PAGE_MS: String(PAGE_MS) } });
  shop = await createNamespace(worker, "pages");
  scene = await shop.campaign();
  await shop.clickId(scene);
  await eventually("the first click is written", async () => (await written()) === 1);
});
afterEach(() => worker.calm());
after(() => worker?.stop());

const written = async () => (await worker.query("SELECT count(*) AS clicks FROM clicks"))[0].clicks;
const isWritten = async (clickId) =>
  (await worker.query("SELECT count(*) AS clicks FROM clicks WHERE click_id = ?1", clickId))[0].clicks === 1;
const areWritten = async (clickIds) => {
  const sql = "SELECT count(*) AS clicks FROM clicks WHERE click_id IN (SELECT value FROM json_each(?1))";
  return (await worker.query(sql, JSON.stringify(clickIds)))[0].clicks === clickIds.length;
};
const cancelled = { headers: { "x-cancelled": "1" } };

test("a click is written by the request that opened its page, without another request", async () => {
  const id = await shop.clickId(scene);
  await eventually("the click is written", () => isWritten(id));
});

test("the clicks of a page whose opener was cancelled are written by a later request", async () => {
  const rows = await written();
  const opener = await shop.clickId(scene, {}, cancelled);
  const second = await shop.clickId(scene);

  const later = [];
  await eventually("the abandoned page is written", async () => {
    later.push(await shop.clickId(scene));
    return (await isWritten(opener)) && (await isWritten(second));
  });
  await eventually("the later clicks are written", async () => (await written()) === rows + 2 + later.length);
});

test("control: without a later request the abandoned page stays unwritten", async () => {
  const rows = await written();
  const opener = await shop.clickId(scene, {}, cancelled);
  const opened = performance.now();
  // Long after the page was due, looked at past the Worker.
  await eventually("time went by", () => performance.now() - opened > 20 * PAGE_MS);
  assert.ok(!(await isWritten(opener)), "the cancelled request wrote its page, so the test above shows nothing");
  const later = [];
  await eventually("the page is written in the end", async () => {
    later.push(await shop.clickId(scene));
    return isWritten(opener);
  });
  await eventually("the later clicks are written", async () => (await written()) === rows + 1 + later.length);
});

test("clicks that D1 did not take are kept in KV, and the cron job writes each of them once", async (t) => {
  const rows = await written();
  await worker.faults({ d1: { down: true, match: "INTO clicks" } });
  const ids = [];
  for (let i = 0; i < 30; i++) ids.push(await shop.clickId(scene));
  const pages = [...new Set(ids.map((id) => `aside/${readClickId(id).page.toString(16).padStart(12, "0")}`))];
  t.diagnostic(`${ids.length} clicks on ${pages.length} pages`);
  await eventually("all of them are in KV", async () => {
    const keys = new Set(await worker.keys("aside/"));
    return pages.every((page) => keys.has(page));
  });
  assert.equal(await written(), rows);

  // The isolate's memory is gone, so that only what is kept can be written.
  await worker.kill();
  await worker.restart();
  // A run writes some pages, and a slow machine makes more of them.
  await eventually("the cron job has written them", async () => {
    await worker.tick();
    return areWritten(ids);
  });

  assert.equal(await written(), rows + ids.length);
  for (const id of ids) assert.equal((await shop.get(`clicks/${id}`)).click_id, id);
  await worker.tick();
  assert.equal(await written(), rows + ids.length);
});

test("a click whose row never arrives is credited all the same", async () => {
  const id = await shop.clickId(scene, {}, cancelled);
  await worker.kill();
  await worker.restart();
  assert.ok(!(await isWritten(id)));

  const reply = await shop.postback({ click_id: id, order_id: "without-a-row" });

  assert.equal(reply.verdict, "recorded");
  const conversion = await shop.get(`conversions/${reply.conversion_id}`);
  assert.equal(conversion.affiliate_id, scene.affiliate.id);
  assert.equal(conversion.campaign_id, scene.campaign.id);
});

test("clicks made while D1 does not answer are written once it does", async () => {
  await worker.faults({ d1: { hang: true, match: "INTO clicks" } });
  const ids = [await shop.clickId(scene), await shop.clickId(scene)];
  for (const id of ids) assert.ok(!(await isWritten(id)));
  await worker.calm();
  await eventually("both are written", async () => {
    await worker.tick();
    return (await isWritten(ids[0])) && (await isWritten(ids[1]));
  });
});

test("clicks that neither D1 nor KV took stay in memory, and a later request writes each of them once", async () => {
  const rows = await written();
  await worker.counts({ reset: true });
  await worker.faults({ d1: { down: true, match: "INTO clicks" }, kv: { down: true } });
  const ids = [];
  for (let i = 0; i < 20; i++) ids.push(await shop.clickId(scene));
  await eventually("the write has failed", async () => (await worker.counts()).failures >= 2);
  await worker.calm();
  // A page whose writer failed is taken up when it is overdue, by whoever clicks then.
  const later = [];
  await eventually("all are written", async () => {
    later.push(await shop.clickId(scene));
    return areWritten(ids);
  });
  await eventually("each of them once", async () => (await written()) === rows + ids.length + later.length);
  assert.ok(await areWritten([...ids, ...later]));
});

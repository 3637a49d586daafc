// Test clicks on the real thing: the address is made and verified by the Worker, the flag travels in
// the click_id, and D1 keeps tests and sales of the same order apart.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

/** A shop whose campaign takes one conversion in all, and how to visit and report there. */
async function shopOf(name) {
  const shop = await createNamespace(worker, name);
  const scene = await shop.campaign({ authentication: "token" });
  const token = await shop.token("campaign", scene.campaign.id);
  const cap = { campaign_id: scene.campaign.id, what: "conversions", period: "total", mode: "hard", conversions_limit: 1 };
  await shop.create("caps", cap);
  const testAddress = async (expect = 200) =>
    (await shop.api("POST", `links/${scene.link.id}/test-url`, { expect })).json;
  const visit = async (parameters) => {
    const answer = await shop.click(parameters);
    return new URL(answer.headers.location).searchParams.get("click_id");
  };
  const report = async (parameters) => (await shop.attempt({ ...parameters, token })).json;
  return { shop, scene, testAddress, visit, report };
}

const query = (url) => Object.fromEntries(new URL(url).searchParams);

test("an operator's address makes tests, which are recorded, count nowhere and block no sale", async () => {
  const { shop, scene, testAddress, visit, report } = await shopOf("trial");
  const { url, expires_at } = await testAddress();
  assert.ok(Date.parse(expires_at) > Date.now() + 6.9 * 86_400_000, expires_at);
  const tested = await visit(query(url));
  const first = await report({ click_id: tested, order_id: "A" });
  assert.deepEqual([first.verdict, first.is_test, first.payout.amount], ["recorded", true, "5.00"]);
  assert.deepEqual(first.warnings.map(({ code }) => code), ["test_click"]);
  assert.equal((await report({ click_id: tested, order_id: "A" })).verdict, "duplicate");

  // The cap of one has its place still, and the order too.
  const sold = await report({ click_id: await shop.clickId(scene), order_id: "A" });
  assert.deepEqual([sold.verdict, sold.is_test], ["recorded", undefined]);
  assert.notEqual(sold.conversion_id, first.conversion_id);
  const used = async () => {
    const [row] = await worker.query("SELECT conversions, payout FROM cap_uses WHERE namespace = 'trial'");
    return [row.conversions, row.payout];
  };
  assert.deepEqual(await used(), [1, 500]);
  assert.equal((await report({ campaign_id: scene.campaign.id, order_id: "A", status: "rejected" })).conversion_id, sold.conversion_id);
  assert.equal((await report({ click_id: tested, order_id: "A", status: "refunded" })).conversion_id, first.conversion_id);
  assert.deepEqual(await used(), [0, 0]);

  const tests = await eventually("the test click is listed", async () => {
    const found = await shop.all("clicks", { is_test: "true" });
    assert.equal(found.length, 1);
    return found;
  });
  assert.deepEqual([tests[0].click_id, tests[0].counted, tests[0].parameters], [tested, false, {}]);
  const conversions = await shop.all("conversions", { is_test: "false" });
  assert.deepEqual(conversions.map(({ conversion_id }) => conversion_id), [sold.conversion_id]);
});

test("a forged or borrowed address makes an ordinary click with a warning", async () => {
  const { shop, testAddress, visit, report } = await shopOf("forged");
  const other = await shopOf("lender");
  const borrowed = query((await other.testAddress()).url);
  const own = query((await testAddress()).url);
  const forged = { ...own, bt_expires: String(Number(own.bt_expires) - 60) };
  for (const parameters of [borrowed, forged]) {
    const id = await visit(parameters);
    const row = await eventually("the click is stored", () => shop.get(`clicks/${id}`));
    assert.deepEqual([row.is_test, row.counted, row.warnings.map(({ code }) => code)], [false, true, ["test_refused"]]);
  }
  const genuine = await report({ click_id: await visit(own) });
  assert.equal(genuine.is_test, true);
});

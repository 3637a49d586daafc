// Erasing a person through the real stores: json_each over D1, the trigger that leaves late clicks out, and copies in KV.

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

test("a person is erased from D1 and KV, a repeat pays nothing, and nobody else loses anything", async () => {
  const shop = await createNamespace(worker, "erasure");
  const place = await shop.campaign({ authentication: "token" });
  const token = await shop.token("campaign", place.campaign.id);
  const report = async (click_id, name) =>
    shop.postback({ click_id, order_id: `o-${name}`, customer_id: `${name}@example.com`, custom1: `custom-${name}`, token });
  const [jane, bob, idle] = [await shop.clickId(place), await shop.clickId(place), await shop.clickId(place)];
  const first = await report(jane, "jane");
  await report(bob, "bob");
  const copy = `answer/erasure/${first.conversion_id}`;
  await eventually("the copy of the answer", async () => (await worker.keys("answer/erasure/")).includes(copy));
  await eventually("the rows of the clicks", async () => (await shop.all("clicks")).length === 3);

  const erase = async (query) => {
    const sums = {};
    for (let call = 0; call < 20; call += 1) {
      const step = (await shop.api("DELETE", `persons?${query}`, { expect: 200 })).json;
      for (const [part, count] of Object.entries(step.erased)) sums[part] = (sums[part] ?? 0) + count;
      if (step.is_done) return sums;
    }
    throw new Error("it never ends");
  };
  const erased = await erase(`click_id=${jane}`);
  assert.deepEqual([erased.conversions, erased.customers], [1, 1]);
  assert.ok(erased.copies >= 1); // The answer's; the page of clicks may have had nothing to erase.
  assert.ok(!(await worker.keys("answer/erasure/")).includes(copy));
  assert.deepEqual(new Set(Object.values(await erase(`click_id=${jane}`))), new Set([0]));
  assert.deepEqual(new Set(Object.values(await erase("customer_id=nobody"))), new Set([0]));

  const everything = JSON.stringify([await shop.all("conversions"), await shop.all("inbox"), await shop.all("customers")]);
  assert.ok(!everything.includes("jane@") && !everything.includes("custom-jane"));
  assert.ok(everything.includes("bob@") && everything.includes("custom-bob"));
  const repeat = await report(jane, "jane");
  assert.deepEqual([repeat.verdict, repeat.payout.amount], ["duplicate", first.payout.amount]);

  await erase(`click_id=${idle}`);
  const refused = await shop.postback({ click_id: idle, order_id: "x", custom1: "custom-jane", token }, 404);
  assert.equal(refused.reason, "unknown_click");
  assert.ok(!JSON.stringify(await shop.all("inbox")).includes("custom-jane"));
  assert.equal((await shop.all("conversions")).length, 2);
});

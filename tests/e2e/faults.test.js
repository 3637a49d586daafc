// Promise 8 of the design: with KV down nothing stops; with D1 down redirects go on and nothing is acknowledged falsely.
// And what a sender cannot know, whether a failure came before or after the commit, costs neither a row nor a second one.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { concurrently } from "./support/senders.js";
import { CLICK_ID, clickIdIn, createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const SENDERS = 16;

let worker;
before(async () => {
  // As in production: how soon it is answered is what is measured here.
  worker = await startWorker({ vars: { STORAGE_TIMEOUT_MS: "800" } });
});
afterEach(() => worker.calm());
after(() => worker?.stop());

describe("D1 fails now and then", () => {
  test("before and after the commit: after the sender's retries there is exactly one row for each order", async (t) => {
    const shop = await createNamespace(worker, "flaky");
    const scene = await shop.campaign({ conversions_per_click: "per_order" });
    const clickId = await shop.clickId(scene);
    const orders = Array.from({ length: 400 }, (_, i) => `order-${i}`);
    await worker.counts({ reset: true });
    await worker.faults({ seed: 7, d1: { before: 0.1, after: 0.1 } });

    const outcomes = await concurrently(SENDERS, orders, (order) => shop.insist({ click_id: clickId, order_id: order }));

    await worker.calm();
    for (const { answer } of outcomes) assert.equal(answer.status, 200, answer.text);
    const stored = await shop.all("conversions");
    assert.deepEqual(stored.map((conversion) => conversion.order_id).sort(), orders.toSorted());
    const { failures } = await worker.counts();
    const retried = outcomes.filter(({ tries }) => tries > 1).length;
    t.diagnostic(`${failures} injected failures, ${retried} orders sent again`);
    assert.ok(failures > 20, "the faults did happen");
  });

  test("control: a sender that takes a new order for every try is counted more than once", async () => {
    const shop = await createNamespace(worker, "careless");
    const scene = await shop.campaign({ conversions_per_click: "per_order" });
    const clickId = await shop.clickId(scene);
    const orders = Array.from({ length: 100 }, (_, i) => `order-${i}`);
    // Writes only, and often enough that a retry inside the Worker does not hide them all.
    await worker.faults({ seed: 7, d1: { after: 0.6, match: "INSERT" } });

    await concurrently(SENDERS, orders, async (order) => {
      for (let attempt = 0; ; attempt++) {
        const answer = await shop.attempt({ click_id: clickId, order_id: `${order}-${attempt}` });
        if (answer.status === 200) return;
      }
    });

    await worker.calm();
    assert.ok((await shop.all("conversions")).length > orders.length);
  });
});

describe("D1 is down", () => {
  let shop, scene, known, first;
  before(async () => {
    shop = await createNamespace(worker, "outage");
    scene = await shop.campaign({ conversions_per_click: "per_order", is_amount_trusted: true });
    known = { click_id: await shop.clickId(scene), order_id: "known", amount: "10.00" };
    first = await shop.postback(known);
  });

  test("redirects go on, and their clicks convert later", async () => {
    await worker.faults({ d1: { down: true } });
    const ids = [];
    for (let i = 0; i < 20; i++) ids.push(await shop.clickId(scene));
    await worker.calm();
    assert.equal(new Set(ids).size, ids.length);
    for (const [i, id] of ids.entries()) {
      const reply = await shop.postback({ click_id: id, order_id: `after-the-outage-${i}` });
      assert.equal(reply.verdict, "recorded");
      const conversion = await shop.get(`conversions/${reply.conversion_id}`);
      assert.equal(conversion.affiliate_id, scene.affiliate.id);
    }
  });

  test("redirects go on from KV in an isolate that has just started", async () => {
    await worker.restart();
    await worker.faults({ d1: { down: true } });
    await shop.clickId(scene);
  });

  test("a new postback is refused with 503 and Retry-After in under a second, and nothing is recorded", async () => {
    const order = { click_id: known.click_id, order_id: "refused" };
    await worker.faults({ d1: { down: true } });
    expectUnavailable(await bestOfThree(shop, order));
    await worker.calm();
    const stored = await shop.all("conversions", { order_id: "refused" });
    assert.deepEqual(stored, []);
    assert.equal((await shop.postback(order)).verdict, "recorded");
  });

  test("a known conversion is answered as a duplicate from KV", async () => {
    await worker.faults({ d1: { down: true } });
    // The copy is written behind the first reply.
    const answer = await eventually("the copy is there", async () => {
      const answer = await shop.attempt(known);
      return answer.status === 200 && answer;
    });
    const { verdict, request_id: requestId, ...rest } = answer.json;
    const { verdict: _, request_id: firstRequestId, ...firstRest } = first;
    assert.equal(verdict, "duplicate");
    assert.notEqual(requestId, firstRequestId);
    assert.deepEqual(rest, firstRest);
  });

  test("other money for a known conversion is not a duplicate", async () => {
    await worker.faults({ d1: { down: true } });
    const answer = await shop.attempt({ ...known, amount: "99.00" });
    assert.notEqual(answer.status, 200, answer.text);
  });

  test("health says so with a 503", async () => {
    await worker.faults({ d1: { down: true } });
    const answer = await shop.send({ path: "/health" });
    assert.equal(answer.status, 503);
    await worker.calm();
    await eventually("health is well again", async () => (await shop.send({ path: "/health" })).status === 200);
  });

  test("control: without the fault the same new postback is recorded", async () => {
    const reply = await shop.postback({ click_id: known.click_id, order_id: "calm" });
    assert.equal(reply.verdict, "recorded");
  });
});

describe("D1 does not answer", () => {
  test("a postback is refused with 503 in under a second, and counts once when it is sent again", async (t) => {
    const shop = await createNamespace(worker, "hanging");
    const scene = await shop.campaign({ conversions_per_click: "per_order" });
    const order = { click_id: await shop.clickId(scene), order_id: "hung" };
    await worker.faults({ d1: { hang: true } });

    const best = await bestOfThree(shop, order);
    t.diagnostic(`answered after ${Math.round(best.took)} ms`);
    expectUnavailable(best);
    await shop.clickId(scene);

    await worker.calm();
    const { answer } = await shop.insist(order);
    assert.equal(answer.status, 200);
    assert.equal((await shop.all("conversions")).length, 1);
  });
});

describe("KV", () => {
  for (const [what, fault] of [
    ["is down", { down: true }],
    ["does not answer", { hang: true }],
    ["finds nothing", { empty: true }],
    ["takes 300 ms", { delay: 300 }],
  ]) {
    test(`${what}: the whole loop goes on, in a running isolate and in one that has just started`, async () => {
      const shop = await createNamespace(worker, `kv-${what.replaceAll(" ", "-")}`);
      const scene = await shop.campaign({ conversions_per_click: "per_order" });
      await shop.clickId(scene);
      await worker.faults({ kv: fault });
      await loop(shop, scene, "warm");
      await worker.restart();
      await worker.faults({ kv: fault });
      await loop(shop, scene, "cold");
      assert.equal((await shop.all("conversions")).length, 2);
    });
  }

  async function loop(shop, scene, order) {
    const answer = await shop.click({ campaign_id: scene.campaign.id, ref_id: scene.link.id });
    const clickId = clickIdIn(answer.location);
    assert.match(clickId, CLICK_ID);
    const reply = await shop.postback({ click_id: clickId, order_id: order });
    assert.equal(reply.verdict, "recorded");
    assert.equal((await shop.postback({ click_id: clickId, order_id: order })).verdict, "duplicate");
  }
});

/** The fastest of three attempts that are all refused, so that a busy machine does not decide. */
async function bestOfThree(shop, order) {
  const answers = [await shop.attempt(order), await shop.attempt(order), await shop.attempt(order)];
  for (const answer of answers) assert.equal(answer.status, 503, answer.text);
  return answers.toSorted((a, b) => a.took - b.took)[0];
}

function expectUnavailable(answer) {
  assert.equal(answer.status, 503, answer.text);
  assert.equal(answer.json.verdict, "rejected");
  assert.equal(answer.json.reason, "storage_unavailable");
  assert.match(answer.headers["retry-after"], /^[1-9][0-9]*$/);
  assert.ok(answer.took < 1_000, `took ${answer.took} ms`);
}

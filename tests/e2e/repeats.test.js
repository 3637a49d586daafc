// Promise 2 of the design: a conversion counts once, however often and in whatever order it is sent.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { seeded, shuffle } from "./support/random.js";
import { concurrently } from "./support/senders.js";
import { createNamespace, TEN_PERCENT } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const ORDERS = 1_000;
const MOST_REPEATS = 20;
const SENDERS = 32;
const CLICKS = 50;

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("1,000 orders sent 1 to 20 times each, shuffled and concurrently, are exactly 1,000 conversions", async (t) => {
  const shop = await createNamespace(worker, "repeats");
  const { orders, requests } = await prepare(shop, ORDERS);

  const answers = await concurrently(SENDERS, requests, (order) => shop.attempt(order));

  const firsts = new Map();
  for (const [index, answer] of answers.entries()) {
    assert.equal(answer.status, 200, answer.text);
    if (answer.json.verdict === "recorded") {
      assert.ok(!firsts.has(requests[index].order_id), `${requests[index].order_id} was recorded twice`);
      firsts.set(requests[index].order_id, answer);
    }
  }
  assert.equal(firsts.size, ORDERS);
  const requestIds = new Set();
  for (const [index, answer] of answers.entries()) {
    const first = firsts.get(requests[index].order_id);
    assert.equal(likeTheFirst(answer), likeTheFirst(first), "a repeat is answered with the first body");
    if (answer !== first) assert.equal(answer.json.verdict, "duplicate");
    requestIds.add(answer.json.request_id);
  }
  assert.equal(requestIds.size, requests.length, "every request has an id of its own");

  const stored = await shop.all("conversions");
  assert.deepEqual(stored.map((conversion) => conversion.order_id).sort(), orders.map((order) => order.order_id).sort());
  t.diagnostic(`${requests.length} requests, ${stored.length} conversions`);
});

test("control: repeats that carry an order of their own are all counted", async () => {
  const shop = await createNamespace(worker, "control");
  const { requests } = await prepare(shop, 20);
  const distinct = requests.map((order, index) => ({ ...order, order_id: `${order.order_id}-${index}` }));
  await concurrently(SENDERS, distinct, (order) => shop.postback(order));
  assert.equal((await shop.all("conversions")).length, distinct.length);
});

test("a click of a campaign with one conversion per click converts once, whoever is first", async () => {
  const shop = await createNamespace(worker, "once");
  const scene = await shop.campaign();
  const clickId = await shop.clickId(scene);
  const requests = Array.from({ length: 64 }, () => ({ click_id: clickId, order_id: "A-1", amount: "10.00" }));

  const answers = await concurrently(SENDERS, requests, (order) => shop.attempt(order));

  const verdicts = answers.map((answer) => answer.json.verdict).sort();
  assert.deepEqual(verdicts, [...Array(63).fill("duplicate"), "recorded"]);
  const other = await shop.postback({ click_id: clickId, order_id: "A-2", amount: "10.00" }, 422);
  assert.equal(other.reason, "repeated_conversion");
  assert.equal((await shop.all("conversions")).length, 1);
});

test("a repeat with other money is a conflict and changes nothing", async () => {
  const shop = await createNamespace(worker, "conflict");
  const scene = await shop.campaign({ ...TEN_PERCENT, conversions_per_click: "per_order", is_amount_trusted: true });
  const clickId = await shop.clickId(scene);
  await shop.postback({ click_id: clickId, order_id: "A-1", amount: "10.00" });

  const refused = await shop.postback({ click_id: clickId, order_id: "A-1", amount: "99.00" }, 409);

  assert.equal(refused.verdict, "rejected");
  assert.equal(refused.reason, "conflict");
  const [conversion] = await shop.all("conversions");
  assert.deepEqual(conversion.revenue, { amount: "1.00", currency: "USD" });
});

async function prepare(shop, count) {
  const random = seeded(20261121);
  const scene = await shop.campaign({ ...TEN_PERCENT, conversions_per_click: "per_order", is_amount_trusted: true });
  const clicks = [];
  for (let i = 0; i < CLICKS; i++) clicks.push(await shop.clickId(scene));
  const orders = Array.from({ length: count }, (_, i) => ({
    click_id: clicks[i % CLICKS],
    order_id: `order-${i}`,
    amount: `${1 + Math.floor(random() * 500)}.${10 + Math.floor(random() * 90)}`,
  }));
  const requests = orders.flatMap((order) => Array(1 + Math.floor(random() * MOST_REPEATS)).fill(order));
  return { orders, requests: shuffle(requests, random) };
}

/** A body without what a repeat may change: verdict, request_id and current_status. The rest stays as bytes. */
function likeTheFirst(answer) {
  return answer.text
    .replace(/"verdict":"(recorded|duplicate)"/, '"verdict":…')
    .replace(/"request_id":"[^"]+"/, '"request_id":…')
    .replace(/,"current_status":"[a-z]+"/, "");
}

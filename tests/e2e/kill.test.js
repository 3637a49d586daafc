// Promise 1 of the design: an acknowledged conversion survives `kill -9` at any moment.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const KILLS = 4;
const SENDERS = 32;
const CLICKS = 64;
const D1_DELAY = 100;
// Acknowledgements of one round before it is ended by the kill.
const PER_ROUND = 160;

let worker;
before(async () => {
  worker = await startWorker();
});
after(() => worker?.stop());

test("what was acknowledged before a kill is there once after the restart", async (t) => {
  const { shop, acknowledged } = await rounds(t, "real", { d1: { delay: D1_DELAY } });
  const { lost, doubled } = await compare(shop, acknowledged);
  t.diagnostic(`awaited commit: ${lost} lost, ${doubled} doubled of ${acknowledged.size} acknowledged`);
  assert.ok(acknowledged.size >= KILLS * PER_ROUND);
  assert.equal(lost, 0);
  assert.equal(doubled, 0);
});

test("control: a store that answers before its commit loses acknowledged conversions in the same test", async (t) => {
  const { shop, acknowledged } = await rounds(t, "lying", { d1: { delay: D1_DELAY, ahead: "lie" } });
  const { lost } = await compare(shop, acknowledged);
  t.diagnostic(`acknowledged before the commit: ${lost} lost of ${acknowledged.size} acknowledged`);
  assert.ok(lost > 0, "the test cannot fail, so its success says nothing");
});

/** Several kills in the middle of traffic. Returns what was acknowledged: conversion to order. */
async function rounds(t, name, faults) {
  // Both databases start from the same configuration, whichever of them will answer.
  await worker.faults({ d1: { ahead: "mirror" } });
  const shop = await createNamespace(worker, name);
  const scene = await shop.campaign({ conversions_per_click: "per_order" });
  const clicks = [];
  for (let i = 0; i < CLICKS; i++) clicks.push(await shop.clickId(scene));
  const acknowledged = new Map();
  for (let round = 1; round <= KILLS; round++) {
    await worker.faults(faults);
    const { pid } = worker;
    const { firstError, count } = await trafficUntilKilled(shop, clicks, `${name}-${round}`, acknowledged);
    await worker.restart();
    assert.notEqual(worker.pid, pid);
    t.diagnostic(`kill ${round}: workerd ${pid} after ${count} acknowledgements; first error of a client: ${firstError}`);
    assert.ok(firstError, "no client noticed the kill");
  }
  await worker.calm();
  return { shop, acknowledged };
}

async function trafficUntilKilled(shop, clicks, prefix, acknowledged) {
  let count = 0;
  let firstError;
  let killed;
  async function sender(number) {
    for (let i = 0; ; i++) {
      const order = `${prefix}-${number}-${i}`;
      let answer;
      try {
        answer = await shop.attempt({ click_id: clicks[(number + i) % clicks.length], order_id: order });
      } catch (error) {
        firstError ??= error.code ?? error.message;
        return;
      }
      // A worker that is about to die may refuse, but then it has promised nothing.
      if (answer.status === 503) continue;
      assert.equal(answer.status, 200, answer.text);
      assert.equal(answer.json.verdict, "recorded");
      acknowledged.set(answer.json.conversion_id, order);
      count += 1;
      if (count >= PER_ROUND) killed ??= worker.kill();
    }
  }
  await Promise.all(Array.from({ length: SENDERS }, (_, number) => sender(number)));
  await killed;
  return { firstError, count };
}

async function compare(shop, acknowledged) {
  const stored = new Map();
  for (const { conversion_id: id, order_id: order } of await shop.all("conversions")) {
    stored.set(order, [...(stored.get(order) ?? []), id]);
  }
  let lost = 0;
  let doubled = 0;
  for (const [id, order] of acknowledged) {
    const ids = stored.get(order) ?? [];
    if (!ids.includes(id)) lost += 1;
    if (ids.length > 1) doubled += 1;
  }
  return { lost, doubled };
}

// Many postbacks at once: their commits travel to D1 together, and each of them is answered for itself.

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import { concurrently } from "./support/senders.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

const ORDERS = 400;
const SENDERS = 32;

let worker, shop, clickId;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "rush");
  const scene = await shop.campaign({ conversions_per_click: "per_order" });
  clickId = await shop.clickId(scene);
  await shop.postback({ click_id: clickId, order_id: "first" });
});
after(() => worker?.stop());

describe("a rush of postbacks", () => {
  test("takes far fewer round trips than it has orders, and every answer is its own order's", async (t) => {
    // Each order takes one at least where they do not travel together. Of three rushes, because batches that wait for
    // a slow disk go alone in the end.
    const batches = [];
    for (let rush = 1; rush <= 3 && !(Math.min(...batches) < ORDERS); rush++) {
      const orders = Array.from({ length: ORDERS }, (_, i) => `rush-${rush}-${i}`);
      await worker.counts({ reset: true });
      const replies = await concurrently(SENDERS, orders, (order_id) => shop.postback({ click_id: clickId, order_id }));
      batches.push((await worker.counts()).batches);
      const ids = replies.map(({ conversion_id }) => conversion_id);
      assert.equal(new Set(ids).size, ORDERS);
      const rows = await worker.query("SELECT conversion_id, order_id FROM conversions WHERE order_id LIKE ?1", `rush-${rush}-%`);
      const byOrder = new Map(rows.map(({ conversion_id, order_id }) => [order_id, conversion_id]));
      orders.forEach((order, i) => assert.equal(byOrder.get(order), ids[i]));
    }
    t.diagnostic(`${batches.join(", ")} batches for ${ORDERS} orders`);
    assert.ok(Math.min(...batches) < ORDERS, `${batches.join(", ")} batches`);
  });

  test("goes on when half of the senders hang up in the middle of it", async (t) => {
    const hung = [];
    const hangUp = (order) => {
      const path = `/postback?click_id=${clickId}&order_id=${order}`;
      const socket = net.connect({ host: "127.0.0.1", port: worker.port });
      socket.on("error", () => {});
      socket.write(`GET ${path} HTTP/1.1\r\nHost: ${shop.host}\r\n\r\n`);
      setTimeout(() => socket.destroy(), hung.push(order) % 10);
    };
    const orders = Array.from({ length: ORDERS }, (_, i) => `rush-kept-${i}`);
    const replies = await concurrently(SENDERS, orders, async (order_id, i) => {
      if (i % 2 === 0) hangUp(`rush-hung-${i}`);
      return shop.postback({ click_id: clickId, order_id });
    });
    assert.ok(replies.every(({ verdict }) => verdict === "recorded"));
    const kept = await worker.query("SELECT count(*) AS n FROM conversions WHERE order_id LIKE 'rush-kept-%'");
    assert.equal(kept[0].n, ORDERS);
    // Whoever hung up was not told and sends again; then each of their orders is there, and once.
    const again = await concurrently(SENDERS, hung, (order_id) => shop.postback({ click_id: clickId, order_id }));
    assert.ok(again.every(({ verdict }) => ["recorded", "duplicate"].includes(verdict)));
    t.diagnostic(`${again.filter(({ verdict }) => verdict === "duplicate").length} of ${hung.length} who hung up had been recorded`);
    const rows = await worker.query("SELECT order_id FROM conversions WHERE order_id LIKE 'rush-hung-%'");
    assert.deepEqual(rows.map(({ order_id }) => order_id).toSorted(), hung.toSorted());
  });
});

// What a click and a conversion cost, counted at the stores: round trips, statements, puts and rows written.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { concurrently } from "./support/senders.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

/** Runs `work` with a Worker whose campaign is in memory, and whose counts start from nothing. */
async function measured(vars, work) {
  const worker = await startWorker({ vars });
  try {
    const shop = await createNamespace(worker, "costs");
    const scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
    const token = await shop.token("campaign", scene.campaign.id);
    const rows = async () => (await worker.query("SELECT count(*) AS clicks FROM clicks"))[0].clicks;
    const clickId = await shop.clickId(scene);
    if (vars.CLICK_RECORDING !== "off") await eventually("the first click is written", async () => (await rows()) === 1);
    await shop.postback({ click_id: clickId, order_id: "first", token });
    await worker.counts({ reset: true });
    await work({ worker, shop, scene, token, clickId, rows });
  } finally {
    await worker.stop();
  }
}

describe("a thousand concurrent clicks", () => {
  const clicks = (shop, scene) => concurrently(50, Array(1_000).fill(scene), (scene) => shop.clickId(scene));

  test("cost at most 20 statements and 20 puts, and one row each", async (t) => {
    await measured({}, async ({ worker, shop, scene, rows }) => {
      await clicks(shop, scene);
      await eventually("all are written", async () => (await rows()) === 1_001);
      const counts = await worker.counts();
      t.diagnostic(JSON.stringify(counts));
      assert.equal(counts.rowsWritten, 1_000);
      assert.ok(counts.statements <= 20, `${counts.statements} statements`);
      assert.ok(counts.puts > 0 && counts.puts <= 20, `${counts.puts} puts`);
    });
  });

  test("cost no put where copies are switched off", async () => {
    await measured({ CLICK_COPIES: "off" }, async ({ worker, shop, scene, rows }) => {
      await clicks(shop, scene);
      await eventually("all are written", async () => (await rows()) === 1_001);
      assert.equal((await worker.counts()).puts, 0);
    });
  });

  test("cost nothing where recording is switched off", async () => {
    await measured({ CLICK_RECORDING: "off" }, async ({ worker, shop, scene, rows }) => {
      await clicks(shop, scene);
      // By the time that a click is written where they are recorded, these would be.
      await measured({}, () => {});
      const { rowsWritten, puts } = await worker.counts();
      assert.deepEqual([await rows(), rowsWritten, puts], [0, 0, 0]);
    });
  });
});

describe("a hundred conversions", () => {
  // What is read for one must not grow with what is there; these bounds are far below the number of conversions.
  const MOST_READ = 20;

  for (const perClick of ["per_order", "one"]) {
    test(`counted ${perClick} cost one round trip, at most 8 rows written and ${MOST_READ} rows read each`, async (t) => {
      await measured({}, async ({ worker, shop, scene, token }) => {
        await shop.patch(`campaigns/${scene.campaign.id}`, { conversions_per_click: perClick });
        const clicks = await concurrently(16, Array(300).fill(scene), (scene) => shop.clickId(scene));
        const post = (clickId, i) => shop.postback({ click_id: clickId, order_id: `order-${i}`, token });
        await concurrently(16, clicks.slice(0, 200), post);
        await eventually("the clicks are written", async () => (await worker.query("SELECT count(*) AS n FROM clicks"))[0].n === 301);
        await worker.counts({ reset: true });
        for (const [i, clickId] of clicks.slice(200).entries()) {
          assert.equal((await post(clickId, 200 + i)).verdict, "recorded");
        }
        const counts = await worker.counts();
        t.diagnostic(JSON.stringify(counts));
        // Configuration that came due is refreshed behind a reply, at most once in this time.
        assert.ok(counts.batches <= 110, `${counts.batches} round trips`);
        assert.ok(counts.rowsWritten <= 800, `${counts.rowsWritten} rows written`);
        assert.ok(counts.rowsRead <= 100 * MOST_READ, `${counts.rowsRead} rows read`);
      });
    });
  }

  test("told to five connectors cost at most 12 rows written more each, and no round trip", async (t) => {
    await measured({}, async ({ worker, shop, scene, token }) => {
      const written = async () => (await worker.query("SELECT count(*) AS n FROM clicks"))[0].n;
      const sell = async (name) => {
        const before = await written();
        const clicks = await concurrently(16, Array(100).fill(scene), (scene) => shop.clickId(scene));
        await eventually("the clicks are written", async () => (await written()) === before + 100);
        await worker.counts({ reset: true });
        for (const [i, clickId] of clicks.entries()) {
          assert.equal((await shop.postback({ click_id: clickId, order_id: `${name}-${i}`, token })).verdict, "recorded");
        }
        return worker.counts();
      };
      const plain = await sell("plain");
      const webhook = { method: "GET", url: "https://receiver.example.org/", parameters: [{ name: "id", value: "{{ORDER_ID}}" }] };
      for (let i = 0; i < 5; i++) {
        await shop.create("connectors", { name: `c${i}`, mode: "enabled", events: ["Purchase"], webhook, is_webhook_on: true });
      }
      const told = await sell("told");
      t.diagnostic(JSON.stringify({ plain, told }));
      assert.equal((await worker.query("SELECT count(*) AS n FROM deliveries"))[0].n, 500);
      assert.ok(told.rowsWritten - plain.rowsWritten <= 100 * 12, `${told.rowsWritten} after ${plain.rowsWritten} rows written`);
      assert.ok(told.batches <= 110, `${told.batches} round trips`);
    });
  });

  test("that are repeats write nothing but their place in the inbox", async (t) => {
    await measured({}, async ({ worker, shop, token, clickId }) => {
      for (let i = 0; i < 100; i++) {
        const reply = await shop.postback({ click_id: clickId, order_id: "first", token });
        assert.equal(reply.verdict, "duplicate");
      }
      const counts = await worker.counts();
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts.rowsWritten <= 200, `${counts.rowsWritten} rows written`);
      assert.ok(counts.rowsRead <= 100 * MOST_READ, `${counts.rowsRead} rows read`);
    });
  });
});

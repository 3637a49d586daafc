// Explaining, and judging again by filter, over the real D1: what the host tests show of SQLite in memory holds there.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker;
before(async () => { worker = await startWorker(); });
after(() => worker?.stop());

test("sixty refused postbacks are judged again step by step, and each verdict is told", async () => {
  const shop = await createNamespace(worker, "letters");
  const scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order", required_parameters: ["coupon"] });
  const token = await shop.token("campaign", scene.campaign.id);
  const clickId = await shop.clickId(scene);
  for (let order = 0; order < 60; order++) await shop.postback({ click_id: clickId, order_id: `o${order}`, token }, 400);
  await shop.patch(`campaigns/${scene.campaign.id}`, { required_parameters: [] });

  let recorded = 0;
  let steps = 0;
  for (let cursor = null; steps === 0 || cursor; steps++) {
    await worker.counts({ reset: true });
    const body = { reason: "missing_parameter", cursor };
    const step = (await shop.api("POST", "inbox/judge-again", { body, expect: 200 })).json;
    const { statements } = await worker.counts();
    assert.ok(statements < 50, `${statements} statements`);
    recorded += step.verdicts.recorded;
    cursor = step.next_cursor;
  }
  assert.equal(recorded, 60);
  assert.ok(steps > 2, `${steps} steps`);

  const story = (await shop.api("GET", "explain?order_id=o7", { expect: 200 })).json;
  const what = story.timeline.map((entry) => entry.what);
  assert.deepEqual(what.slice(0, 3), ["clicked", "received", "rejected"]);
  assert.equal(what.at(-1), "recorded");
  assert.ok(what.includes("attribution") && what.includes("payout"));
  assert.equal((await shop.api("GET", `explain?click_id=${clickId}`, { expect: 200 })).json.has_more, true);
});

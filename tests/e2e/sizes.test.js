// What visitors have to load.

import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

test("tracker.js is under 4 KB gzipped", async (t) => {
  const worker = await startWorker();
  try {
    const shop = await createNamespace(worker, "sizes");
    const { status, text } = await shop.send({ path: "/tracker.js" });
    assert.equal(status, 200);
    const size = gzipSync(text).length;
    t.diagnostic(`${size} bytes`);
    assert.ok(text.includes("backtrail") && size < 4_000, `${size} bytes`);
  } finally {
    await worker.stop();
  }
});

// What visitors have to load, and wait for.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { WASM } from "./support/build.js";
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

/** How many bytes each function of a module has. */
function functionSizes(module) {
  let at = 8;
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  for (;;) {
    assert.ok(at < module.length, "the module has no code");
    const section = module[at++];
    const length = number();
    // https://webassembly.github.io/spec/core/binary/modules.html#code-section
    if (section === 10) break;
    at += length;
  }
  return Array.from({ length: number() }, () => {
    const size = number();
    at += size;
    return size;
  });
}

test("no function is so large that a new isolate's first click or postback waits long for it", async (t) => {
  // The runtime compiles a function whole when it is first called: 64 KiB take about 4 ms. With the operators' API in it, the
  // function that answers had 213.
  const sizes = functionSizes(await readFile(WASM));
  const largest = Math.max(...sizes);
  t.diagnostic(`${largest} bytes, of ${sizes.length} functions`);
  assert.ok(sizes.length > 1_000 && largest <= 64 * 1024, `${largest} bytes`);
});

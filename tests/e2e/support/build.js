// Bundles the Worker for workerd: the entry as one JavaScript module, the WebAssembly beside it.
// The tests run the same WebAssembly that is deployed; only the entry is wrapped, by `faults.js`.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The WebAssembly that is deployed. */
export const WASM = here("../../../build/index_bg.wasm");
const ENTRY = here("../../../src/edge/entry.js");

/** The modules of the Worker in the form that miniflare takes, the main one first. */
export async function modules() {
  if (!existsSync(WASM)) throw new Error("build/index_bg.wasm is missing: build the Worker first (`sh scripts/build.sh`)");
  const result = await build({
    entryPoints: [here("faults.js")],
    bundle: true,
    write: false,
    format: "esm",
    target: "esnext",
    conditions: ["workerd", "worker", "browser"],
    logLevel: "warning",
    external: ["cloudflare:*", "node:*"],
    plugins: [{ name: "backtrail", setup }],
  });
  return [
    { type: "ESModule", path: "worker.js", contents: result.outputFiles[0].text },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: await readFile(WASM) },
  ];
}

function setup(build) {
  build.onResolve({ filter: /^the-real-entry$/ }, () => ({ path: ENTRY }));
  // There is one WebAssembly module, whoever imports it and by whatever path.
  build.onResolve({ filter: /\.wasm(\?module)?$/ }, () => ({ path: "./index_bg.wasm", external: true }));
}

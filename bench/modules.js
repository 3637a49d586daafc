// Turns the arms' sources into the modules that workerd is given.
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

export const ENTRY = resolve(ROOT, "src/edge/entry.js");

/** Bundles an entry; WebAssembly beside it stays a module of its own, as when it is deployed. */
export async function bundle(entry, alias = {}) {
  const wasm = new Map();
  const collect = {
    name: "wasm",
    setup(steps) {
      steps.onResolve({ filter: /\.wasm$/ }, ({ path, resolveDir }) => {
        const name = path.split("/").at(-1);
        wasm.set(name, readFileSync(resolve(resolveDir, path)));
        return { path: `./${name}`, external: true };
      });
    },
  };
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    external: ["cloudflare:*", "node:*"],
    plugins: [collect],
    alias,
    logLevel: "error",
  });
  const modules = [{ type: "ESModule", path: "index.js", contents: outputFiles[0].text }];
  for (const [path, contents] of wasm) modules.push({ type: "CompiledWasm", path, contents });
  return modules;
}

export const arm = (name) => bundle(resolve(ROOT, "bench/arms", `${name}.js`));

/** Backtrail as it is deployed, and the same behind the counting shims. */
export async function backtrail(entry) {
  if (!existsSync(entry)) throw new Error(`${entry} does not exist`);
  if (entry === ENTRY && !existsSync(resolve(ROOT, "build/index_bg.wasm"))) {
    throw new Error("Backtrail is not built yet; `make bench` builds it first, `sh scripts/build.sh` does too");
  }
  return {
    plain: await bundle(entry),
    counting: await bundle(resolve(ROOT, "bench/arms/counting.js"), { backtrail: entry }),
  };
}

/** Bytes of the modules as they are uploaded, each compressed by `gzip -9`. */
export function sizes(modules) {
  return modules.map(({ path, contents }) => {
    const raw = Buffer.from(contents);
    return { path, bytes: raw.length, gzipped: gzipSync(raw, { level: 9 }).length };
  });
}

// `node bench/profile.js ARM [clicks|postbacks] [options of run.js]`: where an arm's CPU time goes, by V8's sampling profiler.
//
// Functions of the WebAssembly module appear by name after `KEEP_NAMES=yes sh scripts/build.sh`. Time of the runtime
// itself (HTTP, event loop, SQLite) is "(program)". The profiler slows everything: read shares here, never speeds.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { HEADERS, send } from "./load.js";
import { postbacks } from "./measure.js";
import { ROOT } from "./modules.js";
import { CLICK } from "./seed.js";
import { withBench } from "./bench.js";

const SHOWN = 40;
const INTERVAL_MICROS = 200;

/** A connection to the inspector of one worker. */
async function inspect(origin, arm) {
  const targets = await (await fetch(new URL("/json", origin))).json();
  const target = targets.find(({ id }) => id.endsWith(`:${arm}`));
  if (target === undefined) throw new Error(`no ${arm} among ${targets.map(({ id }) => id).join(", ")}`);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error(`the inspector of ${arm} refused the connection`));
  });
  const waiting = new Map();
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(data);
    const settle = waiting.get(id);
    waiting.delete(id);
    if (error) settle?.reject(new Error(error.message));
    else settle?.resolve(result);
  };
  let last = 0;
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      waiting.set((last += 1), { resolve, reject });
      socket.send(JSON.stringify({ id: last, method, params }));
    });
  return { call, close: () => socket.close() };
}

/** Self time by function, longest first, as shares of the time that was not idle. */
function shares({ nodes, samples, timeDeltas }) {
  const names = new Map(nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
    const file = url.split("/").at(-1);
    return [id, `${functionName || "(anonymous)"}${file ? ` ${file}:${lineNumber + 1}` : ""}`];
  }));
  const times = new Map();
  let busy = 0;
  samples.forEach((id, i) => {
    const name = names.get(id);
    if (name === "(idle)") return;
    busy += timeDeltas[i];
    times.set(name, (times.get(name) ?? 0) + timeDeltas[i]);
  });
  return [...times].sort((a, b) => b[1] - a[1]).map(([name, time]) => ({ name, share: time / busy }));
}

await withBench(async (bench, [arm = "backtrail_off", kind = "clicks"]) => {
  if (!bench.has(arm)) throw new Error(`there is no arm ${arm}; there are ${bench.names().join(", ")}`);
  const supply = kind === "postbacks" ? await postbacks(bench) : undefined;
  const click = { url: bench.server.urls[arm] + CLICK, connections: 32, headers: HEADERS };
  const load = () => supply?.load(arm) ?? click;
  await send({ ...load(), seconds: bench.options.warm });
  const inspector = await inspect(bench.server.inspector, arm);
  await inspector.call("Profiler.enable");
  await inspector.call("Profiler.setSamplingInterval", { interval: INTERVAL_MICROS });
  await inspector.call("Profiler.start");
  const { perSecond } = await send({ ...load(), seconds: bench.options.seconds });
  supply?.remove();
  const { profile } = await inspector.call("Profiler.stop");
  inspector.close();
  console.log(`${arm}: ${perSecond.toFixed(0)} requests a second under the profiler`);
  for (const { name, share } of shares(profile).slice(0, SHOWN)) {
    console.log(`${(100 * share).toFixed(1).padStart(5)} %  ${name}`);
  }
  const out = join(ROOT, "bench/results");
  mkdirSync(out, { recursive: true });
  const file = join(out, `${arm}-${bench.started}.cpuprofile`);
  writeFileSync(file, JSON.stringify(profile));
  console.log(`bench: wrote ${file}, which Chromium's developer tools open`);
}, { inspector: true });

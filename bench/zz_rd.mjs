import { start } from "./server.js"; import { arm, ROOT, bundle } from "./modules.js"; import { send, HEADERS } from "./load.js"; import { migrations, seed, BINDINGS, CLICK } from "./seed.js"; import { sleep } from "./http.js";
import { mkdtempSync, rmSync } from "node:fs"; import { resolve } from "node:path";
const folder = mkdtempSync("/dev/shm/mb-"); const rec = process.argv[4] ?? "off"; const control = rec === "off" ? "redirect" : "pages";
const parts = process.argv[2].split(",").map((e) => e.split("=")).map(([name, p]) => ({ name, path: p }));
for (const p of parts) { p.modules = await bundle(resolve(p.path)); p.bindings = { ...BINDINGS, CLICK_RECORDING: rec }; }
parts.push({ name: control, modules: await arm(control) });
const server = await start(parts, { modules: await arm("harness"), bindings: { SOURCES: {}, VARIABLES: {} } }, folder);
try {
  const res = {};
  for (const { name } of parts) { await server.ask(name, "sql", { statements: migrations() }); if (name !== control) await seed(server.urls[name]); await send({ url: server.urls[name] + CLICK, connections: 32, seconds: 2 }); }
  for (let r = 0; r < Number(process.argv[3] ?? 5); r++) for (const { name } of r % 2 ? parts.toReversed() : parts) {
    const c = server.cpuSeconds(); const rep = await send({ url: server.urls[name] + CLICK, connections: 32, seconds: 1 }); if (rec === "on") { await sleep(1500); await server.ask(name, "forget"); }
    if (rep.bad_status) console.log("BAD", name, rep.bad_status);
    (res[name] ??= []).push([(server.cpuSeconds() - c) * 1e6 / rep.requests, rep.perSecond]); }
  const med = (n, i) => { const l = res[n].map((x) => x[i]).sort((a, b) => a - b); return l[i ? Math.floor(l.length * 0.8) : Math.floor(l.length * 0.2)]; };
  const pair = (n, i) => { const l = res[n].map((x, k) => x[i] / res[control][k][i]).sort((a, b) => a - b); return l[l.length >> 1].toFixed(3); };
  for (const p of Object.keys(res)) console.log(p.padEnd(12), "paired: throughput", pair(p, 1), "cpu", pair(p, 0));
  for (const p of Object.keys(res)) console.log(p.padEnd(12), med(p, 0).toFixed(1), "us", med(p, 1).toFixed(0), "/s ratio", (med(p, 1) / med(control, 1)).toFixed(3), "cpu", (med(p, 0) / med(control, 0)).toFixed(3), res[p].map((x) => x[0].toFixed(0)).join(" "));
} finally { await server.stop(); rmSync(folder, { recursive: true, force: true }); }

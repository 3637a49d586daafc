// real postbacks of several entries, interleaved with insert
import { start } from "./server.js"; import { arm, ROOT, bundle } from "./modules.js"; import { send, HEADERS } from "./load.js"; import { migrations, controlSchema, seed, BINDINGS, POSTBACK, CLICK } from "./seed.js"; import { ask, many, sleep } from "./http.js";
import { mkdtempSync, rmSync, readFileSync, writeFileSync } from "node:fs"; import { resolve } from "node:path";
const folder = mkdtempSync((process.argv[4] ?? "/dev/shm") + "/mb-");
const entries = process.argv[2].split(","); const rounds = Number(process.argv[3] ?? 3);
const parts = [];
for (const e of entries) { const name = e.split("=")[0]; parts.push({ name, modules: await bundle(resolve(e.split("=")[1])), bindings: BINDINGS }); }
parts.push({ name: "insert", modules: await arm("insert") });
const server = await start(parts, { modules: await arm("harness"), bindings: { SOURCES: {}, VARIABLES: {} } }, folder);
try {
  const res = {};
  for (const { name } of parts) { await server.ask(name, "sql", { statements: [...migrations(), ...controlSchema()] }); if (name === "insert") { writeFileSync(folder + "/" + name, "Eabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqr\n"); continue; } await seed(server.urls[name]);
    const ids = await many(1000, 16, async () => new URL((await ask(server.urls[name] + CLICK, { headers: HEADERS })).headers.find(([n]) => n === "location")[1]).searchParams.get("click_id"));
    writeFileSync(folder + "/" + name, ids.join("\n") + "\n");
    const a = await ask(`${server.urls[name]}/postback?${POSTBACK}&click_id=${ids[0]}&order_id=x`, { headers: { Host: HEADERS.Host } }); console.log(name, a.status, a.body.slice(0, 60));
  }
  let series = 0;
  for (let r = 0; r < rounds + 1; r++) for (const { name } of r % 2 ? parts.toReversed() : parts) {
    const c = server.cpuSeconds(); const rep = await send({ url: server.urls[name], connections: 32, seconds: 2, script: ["postbacks.lua", folder + "/" + name, "o" + (series++) + "-", POSTBACK], headers: { Host: HEADERS.Host, "User-Agent": "shop/1.0", "CF-Connecting-IP": "198.51.100.9" } });
    if (rep.bad_status) console.log("BAD", name, rep.bad_status); const us = (server.cpuSeconds() - c) * 1e6 / rep.requests; await sleep(1500);
    if (r) (res[name] ??= []).push([us, rep.perSecond]); }
  for (const [p, l] of Object.entries(res)) { const m = (i) => l.map((x) => x[i]).sort((a, b) => a - b)[l.length >> 1]; console.log(p.padEnd(20), m(0).toFixed(0), "us", m(1).toFixed(0), "/s", (m(1)/(res.insert.map(x=>x[1]).sort((a,b)=>a-b)[res.insert.length>>1])).toFixed(2), l.map((x) => x[1].toFixed(0)).join(" ")); }
} finally { await server.stop(); rmSync(folder, { recursive: true, force: true }); }

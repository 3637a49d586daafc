import { start } from "./server.js"; import { arm, ROOT } from "./modules.js"; import { send } from "./load.js"; import { migrations, controlSchema } from "./seed.js";
import { mkdtempSync, rmSync, readFileSync } from "node:fs";
const folder = mkdtempSync("/dev/shm/mb-");
const modules = [{ type: "ESModule", path: "index.js", contents: readFileSync(process.argv[2], "utf8") }];
const server = await start([{ name: "redirect", modules }], { modules: await arm("harness"), bindings: { SOURCES: {}, VARIABLES: {} } }, folder);
try {
  await server.ask("redirect", "sql", { statements: [...migrations(), ...controlSchema()] });
  const paths = process.argv[3].split(","); const res = {};
  const check = await fetch(server.urls.redirect + "/" + paths[0], { redirect: "manual" }); console.log(check.status, (await check.text()).slice(0, 300));
  for (let r = 0; r < Number(process.argv[4] ?? 3); r++) for (const p of r % 2 ? paths.toReversed() : paths) {
    await server.ask("redirect", "sql", { statements: ["DELETE FROM conversions", "DELETE FROM inbox", "DELETE FROM postbacks"] });
    const c = server.cpuSeconds(); const rep = await send({ url: server.urls.redirect + "/" + p, connections: 32, seconds: 2 }); 
    if (rep.bad_status) console.log(p, "BAD", rep.bad_status);
    (res[p] ??= []).push([(server.cpuSeconds() - c) * 1e6 / rep.requests, rep.perSecond]);
  }
  for (const [p, l] of Object.entries(res)) { const m = (i) => l.map((x) => x[i]).sort((a, b) => a - b)[l.length >> 1]; console.log(p.padEnd(20), m(0).toFixed(1), "us min", Math.min(...l.map((x) => x[0])).toFixed(1), m(1).toFixed(0), "/s", l.map((x) => x[0].toFixed(0)).join(" ")); }
} finally { await server.stop(); rmSync(folder, { recursive: true, force: true }); }

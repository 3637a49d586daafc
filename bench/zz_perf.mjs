import { start } from "./server.js"; import { arm, bundle } from "./modules.js"; import { send, HEADERS } from "./load.js"; import { migrations, seed, BINDINGS, CLICK } from "./seed.js";
import { mkdtempSync, rmSync, readdirSync, readFileSync, readlinkSync } from "node:fs"; import { resolve } from "node:path"; import { spawn } from "node:child_process";
const folder = mkdtempSync("/dev/shm/mb-");
const parts = [{ name: "redirect", modules: await arm("redirect") }, { name: "b", modules: await bundle(resolve(process.argv[2])), bindings: { ...BINDINGS, CLICK_RECORDING: "off" } }];
const server = await start(parts, { modules: await arm("harness"), bindings: { SOURCES: {}, VARIABLES: {} } }, folder);
let pid; for (const t of readdirSync("/proc/self/task")) for (const c of readFileSync(`/proc/self/task/${t}/children`, "utf8").trim().split(" ").filter(Boolean)) try { if (readlinkSync(`/proc/${c}/exe`).endsWith("workerd")) pid = c; } catch {}
try { for (const { name } of parts) { await server.ask(name, "sql", { statements: migrations() }); if (name === "b") await seed(server.urls[name]); await send({ url: server.urls[name] + CLICK, connections: 32, seconds: 2 }); }
 for (const { name } of parts) { const p = spawn("perf", ["record", "-F", "2000", "-e", "cpu-clock", "-p", pid, "-o", `/tmp/perf/${name}.data`], { stdio: "ignore" }); await new Promise((r) => setTimeout(r, 300)); const c = server.cpuSeconds(); const rep = await send({ url: server.urls[name] + CLICK, connections: 32, seconds: 5 }); console.log(name, rep.perSecond, (server.cpuSeconds() - c) * 1e6 / rep.requests, rep.requests); p.kill("SIGINT"); await new Promise((r) => p.on("exit", r)); }
} finally { await server.stop(); rmSync(folder, { recursive: true, force: true }); }

// time of the Rust part alone, in node
import { build } from "esbuild"; import { readFileSync, writeFileSync, mkdtempSync } from "node:fs"; import { resolve, dirname } from "node:path"; import { DatabaseSync } from "node:sqlite"; import { migrations, seed, BINDINGS, CLICK, POSTBACK } from "./seed.js"; import { HEADERS } from "./load.js";
const rounds = Number(process.argv[3] ?? 5);
globalThis.addEventListener ??= () => {};
const subjects = [];
for (const e of process.argv[2].split(",")) {
  const [name, entry] = e.split("=");
  const plugin = { name: "w", setup(s) { s.onLoad({ filter: /\.wasm$/ }, (a) => ({ contents: `export default new WebAssembly.Module(Buffer.from("${readFileSync(a.path).toString("base64")}","base64"))`, loader: "js" })); s.onResolve({ filter: /^cloudflare:workers$/ }, () => ({ path: "/tmp/perf/stub.js" })); } };
  const { outputFiles } = await build({ entryPoints: [resolve(entry)], bundle: true, write: false, format: "esm", plugins: [plugin], logLevel: "error" });
  const file = `/tmp/perf/node-${name}.mjs`; writeFileSync(file, outputFiles[0].text + `\nexport const __F = ${/(\w+) as default/.exec(outputFiles[0].text) ? "0" : "0"};`);
  const w = (await import(file)).default;
  const db = new DatabaseSync(":memory:"); for (const m of migrations()) db.exec(m);
  const cache = new Map(); const prep = (q) => { let p = cache.get(q); if (!p) cache.set(q, (p = db.prepare(q))); return p; };
  const DB = { prepare: (sql) => ({ sql, v: [], bind(...v) { return { sql, v }; } }), async batch(l) { db.exec("BEGIN"); try { const r = l.map(({ sql, v }) => { const bound = Object.fromEntries(v.map((x, i) => ["?" + (i + 1), x])); return { results: prep(sql).all(...v) }; }); db.exec("COMMIT"); return r; } catch (e) { db.exec("ROLLBACK"); throw e; } } };
  const kv = new Map(); const KV = { async get(k) { return kv.get(k) ?? null; }, async put(k, v) { kv.set(k, v); }, async delete(k) { kv.delete(k); }, async list() { return { keys: [] }; } };
  const env = (rec) => ({ ...BINDINGS, CLICK_RECORDING: rec, DB, KV }); const waits = []; const ctx = { waitUntil: (p) => waits.push(p) };
  const E = env("off");
  const call = async (m, p, h, b) => { const r = await w.fetch(new Request("http://localhost" + p, { method: m, headers: h, body: b }), E, ctx); return r; };
  const create = async (resource, body, ns = { "X-Backtrail-Namespace": "demo" }) => { const r = await call("POST", "/api/v1/" + resource, { Authorization: "Bearer " + BINDINGS.ADMIN_TOKEN, "Content-Type": "application/json", ...ns }, JSON.stringify(body)); const t = await r.text(); if (r.status !== 201) throw new Error(resource + " " + r.status + " " + t); return JSON.parse(t); };
  await create("namespaces", { name: "demo" }, {}); const adv = await create("advertisers", { name: "S" }); const c = await create("campaigns", { name: "B", advertiser_id: adv.id, currency: "USD", authentication: "token", conversions_per_click: "per_order", revenue_fixed: "7.00", payout_fixed: "5.00" });
  await create("landing-pages", { campaign_id: c.id, name: "H", url: "https://shop.example/landing?source={source}&sub1={sub1}" }); const a = await create("affiliates", { name: "b" }); await create("links", { campaign_id: c.id, affiliate_id: a.id }); await create("tokens", { level: "campaign", level_id: c.id, token: /secure=(.*)/.exec(POSTBACK)[1] });
  const req = (p, extra = {}) => ({ method: "GET", url: "http://demo-tracking.localhost" + p, headers: { get: (n) => H[n] ?? null }, cf: { country: "DE" }, body: null, ...extra });
  const H = Object.fromEntries(Object.entries(HEADERS).map(([k, v]) => [k.toLowerCase(), v]));
  let r = await w.fetch(req(CLICK), E, ctx); const id = new URL(r.headers.get("location")).searchParams.get("click_id");
  globalThis.Response0 ??= globalThis.Response;
  subjects.push({ name, click: () => { w.fetch(req(CLICK), E, ctx); }, post: async (i) => { const x = await w.fetch(req("/postback?" + POSTBACK + "&click_id=" + id + "&order_id=o" + i), E, ctx); return x; }, times: [], ptimes: [], reset() { db.exec("DELETE FROM conversions; DELETE FROM inbox"); kv.clear(); waits.length = 0; } });
  const x = await subjects.at(-1).post(0); console.log(name, r.status, x.status);
}
class FakeResponse { constructor(b, i) { this.b = b; this.i = i; this.status = i.status; } }
globalThis.Response = FakeResponse;
let n = 1;
for (let k = 0; k < rounds; k++) for (const s of k % 2 ? subjects.toReversed() : subjects) {
  for (let i = 0; i < 3000; i++) s.click();
  let t = process.hrtime.bigint(); for (let i = 0; i < 20000; i++) s.click(); s.times.push(Number(process.hrtime.bigint() - t) / 20000 / 1000);
  t = process.hrtime.bigint(); for (let i = 0; i < 1500; i++) await s.post(n++); s.ptimes.push(Number(process.hrtime.bigint() - t) / 1500 / 1000); s.reset();
}
for (const s of subjects) { const f = (l) => { l.sort((a, b) => a - b); return `min ${l[0].toFixed(2)} med ${l[l.length >> 1].toFixed(2)}`; }; console.log(s.name.padEnd(10), "click us", f(s.times), " postback us (with sqlite)", f(s.ptimes)); }
process.exit(0);

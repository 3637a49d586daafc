// The measurements under load. Each gives, per arm, a list of rounds with figures or the reason why one is invalid.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask, many, sleep } from "./http.js";
import { HEADERS, send } from "./load.js";
import { interleave } from "./rounds.js";
import { CLICK, POSTBACK } from "./seed.js";

const CONNECTIONS = 32;
const DRAIN_MS = 60_000;
const SETTLE_MS = 600;
const EXACT = 2000;
const EXACT_POSTBACKS = 500;

/** What the redirect of one click looks like with its id masked, after checking what must be there. */
export async function probe(origin, click = CLICK) {
  const { status, headers } = await ask(origin + click, { headers: HEADERS });
  if (status !== 302) throw new Error(`a click answered ${status}`);
  const location = new URL(headers.find(([name]) => name === "location")?.[1] ?? "missing:");
  const id = location.searchParams.get("click_id") ?? "";
  if (!/^[A-Za-z0-9_-]{48}$/.test(id)) throw new Error(`no click_id in ${location}`);
  const written = headers.filter(([name]) => !["date", "connection", "keep-alive"].includes(name));
  return { id, text: written.map((pair) => pair.join(": ").replaceAll(id, "ID")).sort().join("\n") };
}

/** Sends load and watches the server's CPU; `finish` may wait for work left behind the responses. */
async function round(bench, load, finish = async () => ({})) {
  const { server } = bench;
  const cpu = server.cpuSeconds();
  const outside = server.outsideSeconds();
  const begin = performance.now();
  const report = await send(load);
  // How many processors' worth of time went to others meanwhile: what a noisy round is recognised by.
  const others = (server.outsideSeconds() - outside) / ((performance.now() - begin) / 1000);
  const end = await finish(report, begin);
  const cpuEnd = end.cpu ?? server.cpuSeconds();
  const result = { ...report, ...end, others, cpuMicros: ((cpuEnd - cpu) * 1e6) / report.requests };
  if (report.bad_status > 0) result.invalid = `${report.bad_status} answers were neither 2xx nor 3xx`;
  else if (report.failed > 0) result.invalid = `${report.failed} requests failed`;
  else if (report.requests === 0) result.invalid = "no request was answered";
  return result;
}

async function warm(bench, arms) {
  for (const arm of arms) {
    await send({ url: bench.server.urls[arm] + CLICK, connections: CONNECTIONS, seconds: bench.options.warm });
  }
}

/**
 * Redirects, nothing stored: throughput and CPU at 32 connections. Rounds of a second, twice as many as fill the time of
 * the others, each in the next isolate: the arms are so close that what else the machine does must meet both alike.
 */
export async function redirect(bench) {
  const arms = bench.arms("backtrail_off", "redirect");
  for (let n = 1; n <= bench.isolates; n += 1) {
    await warm(bench, arms.map((arm) => bench.isolate(arm, n)));
  }
  return interleave("redirect", arms, 2 * bench.options.rounds * bench.options.seconds, async (arm, turn) => {
    const origin = bench.server.urls[bench.isolate(arm, 1 + ((turn - 1) % bench.isolates))];
    const result = await round(bench, { url: origin + CLICK, connections: CONNECTIONS, seconds: 1 });
    await probe(origin);
    result.note = `${result.perSecond.toFixed(0)}/s, ${result.cpuMicros.toFixed(0)} µs CPU`;
    return result;
  });
}

/** Redirects, nothing stored, one at a time: the time a visitor waits for. */
export async function latency(bench) {
  const arms = bench.arms("backtrail_off", "redirect");
  await warm(bench, arms);
  return interleave("latency", arms, bench.options.rounds, async (arm) => {
    const url = bench.server.urls[arm] + CLICK;
    const result = await round(bench, { url, connections: 1, seconds: bench.options.seconds });
    result.note = `p50 ${result.p50.toFixed(0)} µs, p99 ${result.p99.toFixed(0)} µs`;
    return result;
  });
}

/** How many clicks an arm has in each store. */
async function stored(bench, arm) {
  const [{ rows }] = await bench.server.ask(arm, "sql", { statements: ["SELECT count(*) AS rows FROM clicks"] });
  return { rows, ...(await bench.server.ask(arm, "entries")) };
}

const forget = (bench, arm) => bench.server.ask(arm, "forget");

/** Waits until every answered click is in D1 and in KV; says when that was and what the CPU clock showed then. */
async function drained(bench, arm, report, begin) {
  const { server } = bench;
  const limit = performance.now() + DRAIN_MS;
  let at, cpu, rows;
  const look = () => {
    at = performance.now();
    cpu = server.cpuSeconds();
  };
  do {
    await sleep(50);
    [{ rows }] = await server.ask(arm, "sql", { statements: ["SELECT count(*) AS rows FROM clicks"] });
    look();
  } while (rows < report.requests && at < limit);
  while (performance.now() < limit && (await stored(bench, arm)).entries < report.requests) {
    await sleep(50);
    look();
  }
  await sleep(SETTLE_MS);
  const final = await stored(bench, arm);
  return { ...final, cpu, storedPerSecond: final.rows / ((at - begin) / 1000) };
}

/** Sends a number of clicks that is known exactly and wants each of them, by its id, once in D1 and once in KV. */
async function accountFor(bench, arm) {
  const sent = new Set(await clickIds(bench, arm, EXACT));
  await sleep(2000 + SETTLE_MS);
  const statements = ["SELECT click_id FROM clicks"];
  const rows = (await bench.server.ask(arm, "sql", { statements })).map(({ click_id }) => click_id);
  const { entries } = await stored(bench, arm);
  const found = rows.filter((id) => sent.has(id)).length;
  if (sent.size !== EXACT || rows.length !== EXACT || found !== EXACT || entries !== EXACT) {
    const got = `${rows.length} rows, ${found} of them as sent, and ${entries} entries in KV`;
    throw new Error(`${arm} stored ${EXACT} clicks as ${got}; its speed means nothing`);
  }
  console.log(`stored · ${arm}: ${EXACT} clicks sent, each of them is in D1 and in KV`);
}

/** Redirects, every click stored: throughput of the redirects, and clicks stored per second until the last is there. */
export async function store(bench) {
  const arms = bench.arms("backtrail_on", "pages", "naive");
  for (const arm of arms) {
    await warm(bench, [arm]);
    await sleep(2000 + SETTLE_MS);
    await forget(bench, arm);
    await accountFor(bench, arm);
    await forget(bench, arm);
  }
  return interleave("stored", arms, bench.options.rounds, async (arm) => {
    const url = bench.server.urls[arm] + CLICK;
    const load = { url, connections: CONNECTIONS, seconds: bench.options.seconds };
    const result = await round(bench, load, (report, begin) => drained(bench, arm, report, begin));
    // wrk stops with requests under way: the server may have answered one more per connection than wrk has counted.
    const most = result.requests + CONNECTIONS;
    for (const figure of ["rows", "entries"]) {
      if (result[figure] < result.requests || result[figure] > most) {
        result.invalid ??= `${result.requests} clicks were answered, ${result[figure]} ${figure} are stored`;
      }
    }
    await forget(bench, arm);
    await probe(bench.server.urls[arm]);
    await sleep(1000);
    await forget(bench, arm);
    result.note =
      `${result.perSecond.toFixed(0)} redirects/s, ${result.storedPerSecond.toFixed(0)} stored/s, ` +
      `${result.cpuMicros.toFixed(0)} µs CPU, ${result.rows} rows, ${result.entries} entries in ${result.values} KV values`;
    return result;
  });
}

/** A supply of ids: from Backtrail's own redirects, or random ones of the same shape where it is left out. */
export async function clickIds(bench, arm, count, click = CLICK) {
  return many(count, 16, async () => (await probe(bench.server.urls[arm], click)).id);
}

const TABLE = { backtrail_on: "conversions", insert: "postbacks" };

/** What a shop's server sends. */
export const SHOP = { Host: HEADERS.Host, "User-Agent": "shop/1.0", "CF-Connecting-IP": "198.51.100.9" };

/** Every load has orders of its own, whichever measurement it belongs to. */
let series = 0;

/** Sends a number of postbacks that is known exactly and wants each recorded, and each order once in D1. */
async function acknowledge(bench, arm, ids) {
  const url = (i) => `${bench.server.urls[arm]}/postback?${POSTBACK}&click_id=${ids[i]}&order_id=exact-${i}`;
  const answers = await many(ids.length, 16, (i) => ask(url(i), { headers: SHOP }));
  const wrong = answers.find(({ status, body }) => status !== 200 || JSON.parse(body).verdict !== "recorded");
  if (wrong !== undefined) throw new Error(`a postback to ${arm} answered ${wrong.status}: ${wrong.body}`);
  const statements = [`SELECT count(DISTINCT order_id) AS orders FROM ${TABLE[arm]} WHERE order_id LIKE 'exact-%'`];
  const [{ orders }] = await bench.server.ask(arm, "sql", { statements });
  if (orders !== ids.length) throw new Error(`${arm} acknowledged ${ids.length} orders and has ${orders}`);
  console.log(`postback · ${arm}: ${ids.length} sent, each is recorded and in D1`);
}

/** Loads of postbacks, each with an order of its own and one of the clicks that are made here. */
export async function postbacks(bench, { click = CLICK, query = POSTBACK } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "backtrail-bench-"));
  const file = join(folder, "click-ids");
  const origin = bench.has("backtrail_on") ? "backtrail_on" : "redirect";
  const count = Math.ceil(bench.options.seconds * 1500);
  console.log(`postback · fetching ${count} click ids`);
  const ids = await clickIds(bench, origin, count, click);
  writeFileSync(file, `${ids.join("\n")}\n`);
  await sleep(1000);
  const load = (arm) => {
    const script = ["postbacks.lua", file, `order-${(series += 1)}-`, query];
    return { url: bench.server.urls[arm], connections: CONNECTIONS, script, headers: SHOP };
  };
  return { ids, load, remove: () => rmSync(folder, { recursive: true }) };
}

/** A round of postbacks, each acknowledged after its commit; `where` says which rows are theirs. */
export async function acknowledged(bench, arm, load, where) {
  const statements = [`SELECT count(*) AS rows FROM ${where}`];
  const [{ rows: before }] = await bench.server.ask(arm, "sql", { statements });
  // What is done behind the last answers belongs to the CPU time.
  const settle = async () => {
    await sleep(SETTLE_MS);
    return { cpu: bench.server.cpuSeconds() };
  };
  const result = await round(bench, load, settle);
  const [{ rows }] = await bench.server.ask(arm, "sql", { statements });
  result.rows = rows - before;
  if (result.rows < result.requests || result.rows > result.requests + CONNECTIONS) {
    result.invalid ??= `${result.requests} postbacks were acknowledged, ${result.rows} rows are new`;
  }
  result.note = `${result.perSecond.toFixed(0)}/s, ${result.cpuMicros.toFixed(0)} µs CPU, ${result.rows} rows`;
  return result;
}

/** Postbacks, acknowledged after the commit. */
export async function postback(bench) {
  const arms = bench.arms("backtrail_on", "insert");
  const supply = await postbacks(bench);
  const run = (arm, seconds) => acknowledged(bench, arm, { ...supply.load(arm), seconds }, TABLE[arm]);
  try {
    for (const arm of arms) await acknowledge(bench, arm, supply.ids.slice(0, EXACT_POSTBACKS));
    for (const arm of arms) await run(arm, bench.options.warm);
    return await interleave("postback", arms, bench.options.rounds, (arm) => run(arm, bench.options.seconds));
  } finally {
    supply.remove();
  }
}

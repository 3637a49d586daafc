// One Worker on real workerd with real local KV and D1, as miniflare starts it, in a folder of its own.

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { modules } from "./build.js";
import { eventually } from "./eventually.js";
import { Client } from "./http.js";
import { statements } from "./sql.js";

export const ROOT_KEY = "root-key-of-the-end-to-end-tests-0123456789";
export const CLICK_KEYS = "1:click-secret-of-the-end-to-end-tests-0123456789";
const FAULTS_SECRET = "faults";
const MIGRATIONS = fileURLToPath(new URL("../../../migrations/", import.meta.url));

/**
 * Starts a Worker.
 * @param options.vars   variables beside the usual ones
 * @param options.hasQueue  whether the sender has its queue; otherwise only the cron job sends
 * @param options.state  folder of the local store; a temporary one, removed at the end, if absent
 */
export async function startWorker({ vars = {}, state, hasQueue = false } = {}) {
  const folder = state ?? (await mkdtemp(join(tmpdir(), "backtrail-e2e-")));
  const worker = new Worker(folder, state === undefined, vars, hasQueue);
  try {
    await worker.start();
    await worker.migrate();
  } catch (error) {
    await worker.stop().catch(() => {});
    throw error;
  }
  return worker;
}

class Worker {
  constructor(state, isOwnState, vars, hasQueue) {
    this.hasQueue = hasQueue;
    this.state = state;
    this.isOwnState = isOwnState;
    this.vars = vars;
    this.port = 0;
    this.client = new Client(() => this.port);
    this.logs = [];
    // Whatever happens to the test, no workerd outlives it.
    process.on("exit", () => this.signal("SIGKILL"));
  }

  /** Starts workerd; on the port and state it had before, if it ran before. */
  async start() {
    const before = new Set(workerds());
    const options = convertV4MiniflareOptions({
      name: "backtrail",
      modules: await modules(),
      compatibilityDate: "2026-11-01",
      compatibilityFlags: ["global_fetch_strictly_public", "queue_consumer_no_wait_for_wait_until"],
      bindings: {
        ENVIRONMENT: "development",
        CLICK_PAGE_MS: "250",
        CLICK_COPIES: "on",
        CLICK_RECORDING: "on",
        // A machine that is slow for a moment is no failure of the store. Tests of the timeout set the real one.
        STORAGE_TIMEOUT_MS: "10000",
        TRACKING_URL: "http://{namespace}-tracking.localhost:8787",
        CLICK_KEYS,
        ADMIN_TOKEN: ROOT_KEY,
        FAULTS_SECRET,
        // Production refuses to start with it.
        CONNECTORS_TO_LOOPBACK: this.vars.ENVIRONMENT === "production" ? "off" : "on",
        ...this.vars,
      },
      kvNamespaces: { KV: "kv" },
      d1Databases: { DB: "db", DB_AHEAD: "ahead" },
      queueProducers: this.hasQueue ? { DELIVERIES: "deliveries" } : undefined,
      queueConsumers: this.hasQueue ? { deliveries: { maxBatchSize: 100, maxBatchTimeout: 0 } } : undefined,
      host: "127.0.0.1",
      // A socket of the Worker's own, so that no development proxy changes what is sent.
      unsafeDirectSockets: [{ host: "127.0.0.1", port: this.port }],
      stripCfConnectingIp: false,
      cf: false,
      log: new Log(LogLevel.ERROR),
      handleStructuredLogs: (log) => this.logs.push(log),
    });
    options.resourcePersistencePath = this.state;
    this.miniflare = new Miniflare(options);
    try {
      await this.miniflare.ready;
      this.port = Number((await this.miniflare.unsafeGetDirectURL()).port);
    } catch (error) {
      await this.miniflare.dispose().catch(() => {});
      throw error;
    }
    const mine = workerds().filter((pid) => !before.has(pid));
    if (mine.length !== 1) throw new Error(`expected one new workerd among the children, found ${mine.length}`);
    this.pid = mine[0];
  }

  async migrate() {
    const files = existsSync(MIGRATIONS) ? readdirSync(MIGRATIONS).filter((name) => name.endsWith(".sql")).sort() : [];
    const sql = files.map((name) => readFileSync(MIGRATIONS + name, "utf8")).join("\n");
    await this.control("migrate", { statements: statements(sql) });
  }

  /** Kills workerd as `kill -9` does and waits until it is gone. */
  async kill() {
    this.signal("SIGKILL");
    await eventually("workerd is gone", () => !isAlive(this.pid), { every: 2 });
  }

  /** Starts again on the same port and state. */
  async restart() {
    await this.miniflare.dispose();
    // Between the two the port may be some other connection's for a moment.
    await eventually("workerd runs again", async () => {
      await this.start();
      return true;
    }, { within: 30_000, every: 250 });
  }

  /** Stops everything. A panic in the log of any test is a failure of that test. */
  async stop() {
    this.client.close();
    await this.miniflare?.dispose();
    if (this.isOwnState) await rm(this.state, { recursive: true, force: true });
    const panics = this.logs.filter((log) => /panicked|Rust panic|RuntimeError/.test(log.message));
    if (panics.length > 0) throw new Error(`the Worker panicked: ${panics[0].message}`);
  }

  signal(name) {
    if (this.pid === undefined || !isAlive(this.pid)) return;
    try {
      process.kill(this.pid, name);
    } catch {
      // It went by itself in between.
    }
  }

  async control(verb, body = {}) {
    const answer = await this.client.send({
      method: "POST",
      host: "faults.localhost",
      path: `/__faults/${verb}`,
      headers: { "x-faults": FAULTS_SECRET },
      body: JSON.stringify(body),
    });
    if (answer.status !== 200) throw new Error(`/__faults/${verb}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** Chooses faults: `{ d1: {…}, kv: {…}, seed }`, see `faults.js`. */
  faults(chosen) {
    return this.control("set", chosen);
  }

  calm() {
    return this.control("clear");
  }

  /** What reached the stores since the last reset. */
  counts({ reset = false } = {}) {
    return this.control("counts", { reset });
  }

  /** Looks into the real D1, past the Worker and past every fault. */
  query(sql, ...params) {
    return this.control("query", { sql, params });
  }

  /** Names of keys in the real KV. */
  keys(prefix) {
    return this.control("keys", { prefix });
  }

  /** Runs the cron job and waits for its end. */
  tick() {
    return this.control("tick");
  }
}

/** The workerd processes that are children of this process. */
function workerds() {
  const found = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (parentAndState(name).parent === process.pid && readlinkSync(`/proc/${name}/exe`).endsWith("/workerd")) {
        found.push(Number(name));
      }
    } catch {
      // The process ended while it was looked at.
    }
  }
  return found;
}

function isAlive(pid) {
  try {
    // A killed child stays as a zombie until it is reaped.
    return parentAndState(pid).state !== "Z";
  } catch {
    return false;
  }
}

function parentAndState(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { state, parent: Number(parent) };
}

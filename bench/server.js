// One workerd process with every arm in it, each with a D1, a KV and a socket of its own.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";

const COMPATIBILITY_DATE = "2026-11-01";
const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/**
 * Starts the arms: `{ name, modules, bindings }` each. `folder` keeps their stores. `harness` holds the modules and
 * bindings of the worker that looks into them. `inspector` opens V8's inspector, which slows everything.
 */
export async function start(arms, harness, folder, { inspector = false } = {}) {
  const stores = (name) => ({ d1Databases: { DB: `d1-${name}` }, kvNamespaces: { KV: `kv-${name}` } });
  const workers = arms.map((arm) => ({
    name: arm.name,
    modules: arm.modules,
    bindings: arm.bindings ?? {},
    ...stores(arm.name),
    ...common(),
  }));
  workers.push({
    name: "harness",
    modules: harness.modules,
    bindings: { ...harness.bindings, COMPATIBILITY_DATE },
    d1Databases: Object.fromEntries(arms.map(({ name }) => [`DB_${name}`, `d1-${name}`])),
    kvNamespaces: Object.fromEntries(arms.map(({ name }) => [`KV_${name}`, `kv-${name}`])),
    workerLoaders: { LOADER: {} },
    ...common(),
  });
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      workers,
      host: "127.0.0.1",
      cf: false,
      inspectorPort: inspector ? 0 : undefined,
      logRequests: false,
      log: new Log(LogLevel.WARN),
      unsafeLocalExplorer: false,
      unsafeObservability: false,
      resourcePersistencePath: folder,
    }),
  );
  await miniflare.ready;
  const urls = {};
  for (const { name } of workers) urls[name] = (await miniflare.unsafeGetDirectURL(name)).origin;
  const pid = workerdPid();
  return {
    urls,
    inspector: inspector ? `http://${(await miniflare.getInspectorURL()).host}` : undefined,
    cpuSeconds: () => cpuSeconds(pid),
    outsideSeconds: () => busySeconds() - cpuSeconds(pid) - ownSeconds(),
    ask: (arm, command, details = {}) => ask(urls.harness, { arm, command, ...details }),
    stop: () => miniflare.dispose(),
  };
}

function common() {
  return {
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ["global_fetch_strictly_public"],
    unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }],
    unsafeRegisterWorker: false,
  };
}

async function ask(origin, question) {
  const response = await fetch(origin, { method: "POST", body: JSON.stringify(question) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${question.command} on ${question.arm}: ${answer.error}`);
  return answer;
}

/** The workerd among this process's own children. */
function workerdPid() {
  for (const task of readdirSync("/proc/self/task")) {
    const children = readFileSync(`/proc/self/task/${task}/children`, "utf8").trim();
    for (const pid of children.split(" ").filter(Boolean)) {
      // Or valgrind with workerd in it (`count.js`).
      if (/\/(workerd|callgrind-[^/]*)$/.test(readlinkSync(`/proc/${pid}/exe`))) return Number(pid);
    }
  }
  throw new Error("no workerd among the child processes");
}

/** The fields of a process's statistics from its state on. */
function statistics(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The command's name may hold spaces; the fields are counted from behind its closing parenthesis.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
}

/** User and system time of the process and all its threads. */
function cpuSeconds(pid) {
  const fields = statistics(pid);
  return (fields[11] + fields[12]) / TICKS;
}

/** The same of this process and of those children that have ended, which is every wrk. */
function ownSeconds() {
  const fields = statistics("self");
  return (fields[11] + fields[12] + fields[13] + fields[14]) / TICKS;
}

/** What all processors of the machine have done; time taken by a hypervisor's other guests included. */
function busySeconds() {
  const [user, nice, system, , , interrupt, soft, steal] = readFileSync("/proc/stat", "utf8")
    .split("\n", 1)[0]
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user + nice + system + interrupt + soft + steal) / TICKS;
}

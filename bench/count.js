// `node bench/count.js [--clicks N] [--warm N] [--entry FILE]`: what a redirect that is not stored takes of the processor, counted.
//
// workerd runs under valgrind, which counts instructions and simulates caches and branches. That takes a hundred times as long,
// but the counts hardly depend on the machine or on what else it does, so that a small change can be seen. They say nothing of
// the kernel, and nothing of what a page of code costs whose place has to be looked up: the last two rows say how many lines of
// 64 bytes and how many pages of code clicks run through. Every fifteen seconds one click has its configuration read again, which
// is counted with it; so the least of three counts is shown, and the code that ran in all of them.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { default as workerdPackage } from "workerd";
import { HEADERS } from "./load.js";
import { ENTRY, arm, bundle } from "./modules.js";
import { BINDINGS, CLICK, migrations, seed } from "./seed.js";
import { start } from "./server.js";

// The caches of one core of an AMD EPYC of 2023; valgrind knows two levels.
const CACHES = ["--I1=32768,8,64", "--D1=32768,8,64", "--LL=1048576,8,64"];
const CONNECTIONS = 32;
const workerd = workerdPackage.default;

const { values: options } = parseArgs({
  options: {
    clicks: { type: "string", default: "400" },
    // The runtime compiles and recompiles functions for some ten thousand calls.
    warm: { type: "string", default: "12000" },
    entry: { type: "string", default: ENTRY },
  },
});
const clicks = Number(options.clicks);

/** A program of workerd's name that runs it under valgrind, if it is to serve. */
function counted(folder) {
  const program = join(folder, "workerd");
  const valgrind = ["exec valgrind --tool=callgrind --smc-check=all-non-file --cache-sim=yes --branch-sim=yes --dump-instr=yes",
    ...CACHES, `--callgrind-out-file=${folder}/counts --log-file=${folder}/log`, `'${workerd}' "$@"`].join(" ");
  writeFileSync(program, `#!/bin/sh\n[ "$1" = serve ] || exec '${workerd}' "$@"\n${valgrind}\n`);
  chmodSync(program, 0o755);
  return program;
}

/** Sends exactly so many clicks over keep-alive connections. */
function send(origin, count) {
  const { hostname, port } = new URL(origin);
  const lines = Object.entries(HEADERS).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET ${CLICK} HTTP/1.1\r\n${lines.join("")}\r\n`;
  let sent = 0;
  let answered = 0;
  return new Promise((resolve, reject) => {
    const open = () => {
      const socket = connect(Number(port), hostname);
      let text = "";
      const next = () => (sent < count ? (sent += 1, socket.write(request)) : socket.end());
      socket.on("connect", next).on("error", reject).on("data", (data) => {
        text += data.toString("latin1");
        for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
          if (!text.startsWith("HTTP/1.1 302")) reject(new Error(`a click was answered: ${text.slice(0, end)}`));
          text = text.slice(end + 4);
          answered += 1;
          if (answered === count) resolve();
          next();
        }
      });
    };
    for (let n = 0; n < Math.min(CONNECTIONS, count); n += 1) open();
  });
}

/** Sums of all events, and where the code lies that at least every other click runs through. */
function read(file) {
  const runs = new Map();
  let events = [];
  let sums = [];
  let address = 0;
  let isCall = false;
  for (const line of readFileSync(file, "latin1").split("\n")) {
    if (line.startsWith("events: ")) events = line.slice(8).split(" ");
    else if (line.startsWith("summary: ")) sums = line.slice(9).split(" ").map(Number);
    // The line behind says what the called function took, which stands in its own lines as well.
    else if (line.startsWith("calls=")) isCall = true;
    else if (/^(0x|[-+*])/.test(line)) {
      const [place, , count] = line.split(" ");
      if (place.startsWith("0x")) address = Number(place);
      else if (place !== "*") address += Number(place);
      if (!isCall) runs.set(address, (runs.get(address) ?? 0) + Number(count));
      isCall = false;
    }
  }
  const code = new Set([...runs].filter(([, count]) => count >= clicks / 2).map(([at]) => at));
  const { Ir, I1mr, D1mr, D1mw, ILmr, DLmr, DLmw, Bcm, Bim } = Object.fromEntries(events.map((name, n) => [name, sums[n] / clicks]));
  const counts = {
    instructions: Ir,
    "code not in L1": I1mr,
    "data not in L1": D1mr + D1mw,
    "code not in L2": ILmr,
    "data not in L2": DLmr + DLmw,
    "branches mispredicted": Bcm + Bim,
  };
  return { counts, code };
}

/** The least of several counts, and how much code ran in all of them. */
function summary(reads) {
  const [{ counts }] = [...reads].sort((a, b) => a.counts.instructions - b.counts.instructions);
  const [first, ...more] = reads.map((read) => read.code);
  const code = [...first].filter((at) => more.every((other) => other.has(at)));
  const distinct = (bytes) => new Set(code.map((at) => Math.floor(at / bytes))).size;
  return { ...counts, "lines of code": distinct(64), "pages of code": distinct(4096) };
}

try {
  execFileSync("valgrind", ["--version"], { stdio: "ignore" });
} catch {
  throw new Error("valgrind is missing; Debian and Ubuntu have it in a package of that name");
}
const folder = mkdtempSync(join(tmpdir(), "backtrail-count-"));
process.env.MINIFLARE_WORKERD_PATH = counted(folder);
const bindings = { ...BINDINGS, CLICK_RECORDING: "off", STORAGE_TIMEOUT_MS: "60000" };
const arms = [
  { name: "control", modules: await arm("redirect") },
  { name: "backtrail", modules: await bundle(options.entry), bindings },
];
console.log("count: starting workerd under valgrind, which takes half a minute");
const server = await start(arms, { modules: await arm("harness"), bindings: { SOURCES: {}, VARIABLES: bindings } }, folder);
try {
  await server.ask("backtrail", "sql", { statements: migrations() });
  await seed(server.urls.backtrail);
  const [, pid] = /^==(\d+)==/m.exec(readFileSync(join(folder, "log"), "utf8"));
  const control = (option) => execFileSync("callgrind_control", [option, pid], { stdio: "ignore" });
  const table = {};
  for (const { name } of arms) {
    console.log(`count: ${options.warm} clicks to ${name} until its functions are compiled, then three times ${clicks} that count`);
    await send(server.urls[name], Number(options.warm));
    const reads = [];
    for (let n = 0; n < 3; n += 1) {
      control("--zero");
      await send(server.urls[name], clicks);
      control("--dump");
      const [file] = readdirSync(folder).filter((file) => /^counts\.\d+$/.test(file));
      reads.push(read(join(folder, file)));
      rmSync(join(folder, file));
    }
    for (const [what, count] of Object.entries(summary(reads))) (table[what] ??= {})[name] = Math.round(count);
  }
  console.table(table);
} finally {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
}

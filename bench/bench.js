// What the programs of this folder share: options, the arms, their server and their stores.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { prepare } from "./load.js";
import { probe } from "./measure.js";
import { ENTRY, arm, backtrail } from "./modules.js";
import { BINDINGS, controlSchema, migrations, seed } from "./seed.js";
import { start } from "./server.js";

const CONTROLS = ["redirect", "pages", "naive", "insert"];

const USAGE = `Options:
  --rounds N      rounds of each arm (5)
  --seconds N     length of a round (5)
  --warm N        seconds of load before the first round (2)
  --only A,B      some of the measurements (all)
  --stores DIR    where KV and D1 keep their files (the system's temporary folder); /dev/shm leaves the disk out
  --controls      only the JavaScript workers, without Backtrail
  --entry FILE    another build's entry in the place of src/edge/entry.js`;

function options() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "5" },
      warm: { type: "string", default: "2" },
      only: { type: "string" },
      stores: { type: "string", default: tmpdir() },
      controls: { type: "boolean", default: false },
      entry: { type: "string", default: ENTRY },
      help: { type: "boolean", default: false },
    },
  });
  const number = (name) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > 600) throw new Error(`--${name} is a whole number from 1 to 600`);
    return value;
  };
  return {
    ...values,
    rounds: number("rounds"),
    seconds: number("seconds"),
    warm: number("warm"),
    only: values.only?.split(","),
    stores: resolve(values.stores),
    entry: resolve(values.entry),
    positionals,
  };
}

/** Everything the measurements share. */
class Bench {
  started = Date.now();

  /**
   * The redirects are measured in so many isolates of each arm, in turns: in some isolates the runtime leaves one function
   * or another unoptimised for minutes, on either side, and isolates of the same arm differ by a tenth, so that a few of each
   * would compare luck. An odd number, so that in each of them either arm is first at times.
   */
  isolates = 11;

  constructor(settings, folder, debugging) {
    this.options = settings;
    this.folder = folder;
    this.debugging = debugging;
  }

  async load() {
    this.parts = [];
    this.sources = {};
    for (const name of CONTROLS) this.parts.push({ name, modules: await arm(name), isControl: true });
    this.sources.redirect = this.parts[0].modules;
    if (!this.options.controls) {
      const { plain, counting } = await backtrail(this.options.entry);
      this.sources.backtrail = plain;
      this.parts.push({ name: "backtrail_off", modules: plain, bindings: { ...BINDINGS, CLICK_RECORDING: "off" } });
      this.parts.push({ name: "backtrail_on", modules: plain, bindings: BINDINGS });
      this.parts.push({ name: "backtrail_counted", modules: counting, bindings: BINDINGS });
    }
    if (this.options.only?.includes("redirect") ?? true) {
      for (const part of this.parts.filter(({ name }) => name === "redirect" || name === "backtrail_off")) {
        for (let n = 2; n <= this.isolates; n += 1) this.parts.push({ ...part, name: `${part.name}_${n}` });
      }
    }
    // A binding is JSON: modules that are not text travel as base64.
    const portable = (modules) =>
      modules.map(({ path, type, contents }) => ({
        path,
        type,
        contents: type === "ESModule" ? contents : contents.toString("base64"),
      }));
    this.harness = {
      modules: await arm("harness"),
      bindings: {
        SOURCES: Object.fromEntries(Object.entries(this.sources).map(([kind, modules]) => [kind, portable(modules)])),
        VARIABLES: BINDINGS,
      },
    };
  }

  async start() {
    this.server = await start(this.parts, this.harness, this.folder, this.debugging);
  }

  /** The same stores under a new process. */
  async again() {
    await this.server.stop();
    await this.start();
  }

  async seed() {
    for (const { name, isControl } of this.parts) {
      const statements = [...migrations(), ...(isControl ? controlSchema() : [])];
      await this.server.ask(name, "sql", { statements });
      if (!isControl) await seed(this.server.urls[name]);
    }
  }

  has(name) {
    return this.parts.some((part) => part.name === name);
  }

  names() {
    return this.parts.map(({ name }) => name);
  }

  /** One of an arm's isolates, counted from 1. */
  isolate(name, n) {
    return n === 1 ? name : `${name}_${n}`;
  }

  arms(...names) {
    return names.filter((name) => this.has(name));
  }

  /** Both sides have to send the same bytes, but for the id; otherwise the comparison means nothing. */
  async check() {
    const texts = new Map();
    for (const name of this.arms("redirect", "pages", "naive", "backtrail_off", "backtrail_on")) {
      texts.set(name, (await probe(this.server.urls[name])).text);
    }
    const expected = texts.get("redirect");
    for (const [name, text] of texts) {
      if (text !== expected) console.log(`WARNING: ${name} sends other headers.\n${text}\n— instead of —\n${expected}`);
    }
  }
}

/** Does work with a server that is started, seeded and checked, and leaves nothing behind, come what may. */
export async function withBench(work, debugging = {}) {
  let bench, folder;
  // Miniflare ends the process on a signal after killing its server; what is left to do is done on the way out.
  process.once("exit", () => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });
  process.once("SIGINT", () => process.exit(130));
  process.once("SIGTERM", () => process.exit(143));
  try {
    const settings = options();
    if (settings.help) {
      console.log(USAGE);
      return;
    }
    prepare();
    folder = mkdtempSync(join(settings.stores, "backtrail-bench-"));
    bench = new Bench(settings, folder, debugging);
    await bench.load();
    console.log(`bench: starting ${bench.names().join(", ")}`);
    await bench.start();
    await bench.seed();
    await bench.check();
    await work(bench, settings.positionals);
  } catch (error) {
    console.error(`bench: ${error.message}`);
    process.exitCode = 1;
  } finally {
    await bench?.server?.stop();
  }
}

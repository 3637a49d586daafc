// `make bench`: Backtrail against hand-written JavaScript workers, on one workerd, in one run. See docs/performance.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withBench } from "./bench.js";
import { deliver } from "./deliver.js";
import { event } from "./event.js";
import * as measure from "./measure.js";
import { ROOT } from "./modules.js";
import * as once from "./once.js";
import { machine, report } from "./report.js";

const MEASUREMENTS = {
  redirect: measure.redirect,
  latency: measure.latency,
  stored: measure.store,
  postback: measure.postback,
  event,
  deliver,
  counts: once.counts,
  size: once.size,
  startup: once.startup,
  restart: once.restart,
};

await withBench(async (bench) => {
  const { options } = bench;
  const chosen = options.only ?? Object.keys(MEASUREMENTS);
  const unknown = chosen.find((name) => !(name in MEASUREMENTS));
  if (unknown !== undefined) {
    throw new Error(`--only knows no ${unknown}, but ${Object.keys(MEASUREMENTS).join(", ")}`);
  }
  const results = {};
  for (const name of chosen) {
    console.log(`\n── ${name}`);
    results[name] = await MEASUREMENTS[name](bench);
  }
  const { text, isValid } = report(results, bench);
  console.log(`\n${text}`);
  const out = join(ROOT, "bench/results");
  mkdirSync(out, { recursive: true });
  const stem = join(out, new Date(bench.started).toISOString().replaceAll(/[:.]/g, "-"));
  writeFileSync(`${stem}.json`, JSON.stringify({ machine: machine(), options, results }, null, 1));
  writeFileSync(`${stem}.md`, `${text}\n`);
  console.log(`bench: wrote ${stem}.json and .md`);
  if (!isValid) process.exitCode = 1;
});

// The table at the end: one line for each thing that the benchmark has to reach.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, release } from "node:os";
import workerd from "workerd";
import { compare, median, summary } from "./rounds.js";

const COLUMNS = ["measured", "Backtrail", "control", "ratio or difference", "range", "target", "reached"];

const whole = (value) => (Number.isFinite(value) ? Math.round(value).toString() : "–");
const decimals = (value, digits = 2) => (Number.isFinite(value) ? value.toFixed(digits) : "–");
const range = (min, max, digits = 2) => `${decimals(min, digits)}…${decimals(max, digits)}`;

function reached(value, target) {
  if (target === undefined || !Number.isFinite(value)) return "";
  return (target.least !== undefined ? value >= target.least : value <= target.most) ? "yes" : "NO";
}

const wish = (target) =>
  target === undefined ? "" : target.least !== undefined ? `≥ ${target.least}` : `≤ ${target.most}`;

/** A ratio of two arms' medians. */
function ratio(title, ours, theirs, figure, target) {
  const { ours: a, theirs: b, ratio: value, min, max } = compare(ours ?? [], theirs ?? [], figure);
  return [title, whole(a.median), whole(b.median), decimals(value), range(min, max), wish(target), reached(value, target)];
}

/** A difference of two arms' medians in milliseconds, from microseconds. */
function difference(title, ours, theirs, figure, target) {
  const a = summary(ours ?? [], figure);
  const b = summary(theirs ?? [], figure);
  const value = (a.median - b.median) / 1000;
  const spread = `${whole(a.min)}…${whole(a.max)} / ${whole(b.min)}…${whole(b.max)}`;
  return [title, whole(a.median), whole(b.median), `${decimals(value, 3)} ms`, spread, wish(target), reached(value, target)];
}

/** One arm's own figure, the other's beside it where there is one. */
function plain(title, ours, theirs, target, digits = 2) {
  const show = (value) => (value === undefined ? "" : decimals(value.median, digits));
  const spread = ours?.max === undefined ? "" : `max ${decimals(ours.max, digits)}`;
  return [title, show(ours), show(theirs), "", spread, wish(target), reached(ours?.max ?? ours?.median, target)];
}

function lines({ redirect, latency, stored, postback, event, deliver, counts, size, startup, restart }) {
  const found = [];
  if (redirect) {
    const { backtrail_off: a, redirect: b } = redirect;
    found.push(ratio("redirects/s, 32 connections, not stored", a, b, "perSecond", { least: 0.95 }));
    found.push(ratio("— CPU µs each", a, b, "cpuMicros"));
  }
  if (latency) {
    const { backtrail_off: a, redirect: b } = latency;
    found.push(difference("redirect p50 in µs, 1 connection", a, b, "p50", { most: 0.1 }));
  }
  if (stored) {
    const { backtrail_on: a, pages: b, naive: c } = stored;
    found.push(ratio("redirects/s, every click stored", a, b, "perSecond", { least: 0.8 }));
    found.push(ratio("— CPU µs each", a, b, "cpuMicros"));
    found.push(ratio("clicks stored/s, against pages", a, b, "storedPerSecond"));
    found.push(ratio("clicks stored/s, against one by one", a, c, "storedPerSecond", { least: 12 }));
    found.push(ratio("— CPU µs each", a, c, "cpuMicros"));
  }
  if (postback) {
    const { backtrail_on: a, insert: b } = postback;
    found.push(ratio("postbacks/s, acknowledged after commit", a, b, "perSecond", { least: 0.8 }));
    found.push(ratio("— CPU µs each", a, b, "cpuMicros"));
  }
  if (event) {
    // Both are Backtrail's: here the control is its own plain postback.
    const { event: a, plain: b, counts: counted } = event;
    found.push(ratio("event with personal payout and rate, postbacks/s, against plain ones", a, b, "perSecond", { least: 0.9 }));
    found.push(ratio("— CPU µs each", a, b, "cpuMicros"));
    found.push(plain("— D1 rows written per conversion", counted.rows, undefined, { most: 8 }));
    found.push(plain("— D1 round trips per conversion", counted.roundTrips));
  }
  if (deliver) {
    const { drained, alone, hanging } = deliver;
    const speed = summary(drained, "perSecond");
    found.push(["deliveries/s, 10,000 due to one receiver", whole(speed.median), "", "", range(speed.min, speed.max, 0), "≥ 300", reached(speed.min, { least: 300 })]);
    found.push(ratio("100 deliveries to each of nine receivers, while a tenth hangs against while it answers: seconds", hanging, alone, "othersSeconds", { most: 1.5 }));
  }
  if (counts) {
    found.push(plain("D1 statements per 1,000 concurrent clicks", counts.statements, undefined, { most: 20 }, 0));
    found.push(plain("KV puts per 1,000 concurrent clicks", counts.puts, undefined, { most: 20 }, 0));
    found.push(plain("D1 rows written per click", counts.rowsPerClick, undefined, { most: 1 }, 3));
    found.push(plain("D1 rows written per conversion", counts.rowsPerConversion, undefined, { most: 8 }));
    found.push(plain("D1 round trips per conversion", counts.roundTripsPerConversion));
    found.push(plain("KV puts per conversion", counts.putsPerConversion));
  }
  if (size) {
    const of = (name) => {
      const part = size.find((entry) => entry.name === name);
      return part && { median: part.gzipped / 1000 };
    };
    found.push(plain("module, KB gzipped", of("backtrail"), of("redirect"), { most: 350 }, 1));
  }
  if (startup) {
    const of = (name) => startup[name] && summary(startup[name], "started");
    found.push(plain("start of an isolate, ms", of("backtrail"), of("redirect"), undefined, 1));
  }
  if (restart) {
    const of = (name) => restart[name] && summary(restart[name], "first");
    found.push(plain("first click after a restart, ms", of("backtrail_off"), of("redirect"), undefined, 1));
  }
  return found;
}

/** The table as Markdown, and whether every round was valid. */
export function report(results, { options, isolates }) {
  const invalid = [];
  const others = [];
  for (const [measurement, arms] of Object.entries(results)) {
    if (arms === undefined || Array.isArray(arms)) continue;
    for (const [name, rounds] of Object.entries(arms)) {
      // Counts are figures, not rounds.
      if (!Array.isArray(rounds)) continue;
      rounds.forEach((round, i) => {
        if (round.others !== undefined) others.push(round.others);
        if (round.invalid !== undefined) invalid.push(`${measurement}, ${name}, round ${i + 1}: ${round.invalid}`);
      });
    }
  }
  const rows = [COLUMNS, COLUMNS.map(() => "---"), ...lines(results)];
  const widths = COLUMNS.map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const table = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`);
  const unmetered = (results.counts?.unmetered ?? 0) + (results.event?.counts.unmetered ?? 0);
  const { cpu, cores, kernel, workerd, load } = machine();
  const text = [
    ...table,
    "",
    `Medians of ${options.rounds} interleaved rounds of ${options.seconds} s (not stored: ${2 * options.rounds * options.seconds} of 1 s in ${isolates} isolates of each arm); ranges are of single rounds.`,
    `Stores in ${options.stores} (${fileSystem(options.stores)}). ${cores} × ${cpu}, Linux ${kernel}, ${workerd}, load average at the end ${load}.`,
    ...(others.length > 0 ? [`Other processes used ${decimals(median(others))} processors meanwhile (median), at most ${decimals(Math.max(...others))}.`] : []),
    ...invalid.map((line) => `INVALID and left out: ${line}`),
    ...(unmetered > 0 ? [`${unmetered} statements gave no count of rows.`] : []),
  ].join("\n");
  return { text, isValid: invalid.length === 0 };
}

/** The disk's part in the figures depends on it. */
function fileSystem(folder) {
  return execFileSync("stat", ["--file-system", "--format=%T", folder], { encoding: "utf8" }).trim();
}

export function machine() {
  const list = cpus();
  return {
    cpu: list[0]?.model ?? "unknown",
    cores: list.length,
    kernel: release(),
    workerd: execFileSync(workerd.default, ["--version"], { encoding: "utf8" }).trim(),
    load: readFileSync("/proc/loadavg", "utf8").split(" ")[0],
  };
}

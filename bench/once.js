// What is counted or timed once per start instead of under load: operations, sizes, start-up.
import { ask, many, sleep } from "./http.js";
import { HEADERS } from "./load.js";
import { SHOP, clickIds } from "./measure.js";
import { sizes } from "./modules.js";
import { interleave, median } from "./rounds.js";
import { CLICK, POSTBACK } from "./seed.js";

const CLICKS = 1000;
const POSTBACKS = 200;
const QUIET_MS = 1500;

/** What the counted instance asks of D1 and KV during some work. */
export function counter(bench) {
  const origin = bench.server.urls.backtrail_counted;
  const read = async () => JSON.parse((await ask(`${origin}/bench/counts`, { headers: { Host: HEADERS.Host } })).body);
  return async (work) => {
    await sleep(QUIET_MS);
    const before = await read();
    await work();
    await sleep(QUIET_MS);
    const after = await read();
    return Object.fromEntries(Object.keys(after).map((key) => [key, after[key] - before[key]]));
  };
}

/** Median and largest of one count per `number` of what was done in each round. */
export function figure(rounds, key, number) {
  const values = rounds.map((round) => round[key] / number);
  return { median: median(values), max: Math.max(...values) };
}

/** Operations on D1 and KV per 1,000 concurrent clicks, rows written per click and per conversion. */
export async function counts(bench) {
  if (!bench.has("backtrail_counted")) return undefined;
  const origin = bench.server.urls.backtrail_counted;
  const during = counter(bench);
  // Configuration is in memory afterwards, and the connections are open.
  await many(CLICKS, CLICKS, () => ask(origin + CLICK, { headers: HEADERS }));
  const results = { clicks: [], conversions: [] };
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    const clicks = await during(async () => {
      const answers = await many(CLICKS, CLICKS, () => ask(origin + CLICK, { headers: HEADERS }));
      const wrong = answers.filter(({ status }) => status !== 302).length;
      if (wrong > 0) throw new Error(`${wrong} of ${CLICKS} clicks were not redirected`);
    });
    results.clicks.push(clicks);
    console.log(`counts · round ${round} · ${CLICKS} clicks: ${JSON.stringify(clicks)}`);
    const ids = await clickIds(bench, "backtrail_counted", POSTBACKS);
    const conversions = await during(async () => {
      const answers = await many(POSTBACKS, 8, (i) =>
        ask(`${origin}/postback?${POSTBACK}&click_id=${ids[i]}&order_id=counted-${round}-${i}`, {
          headers: SHOP,
        }),
      );
      const wrong = answers.find(({ status, body }) => status !== 200 || JSON.parse(body).verdict !== "recorded");
      if (wrong !== undefined) throw new Error(`a postback answered ${wrong.status}: ${wrong.body}`);
    });
    results.conversions.push(conversions);
    console.log(`counts · round ${round} · ${POSTBACKS} postbacks: ${JSON.stringify(conversions)}`);
  }
  return {
    statements: figure(results.clicks, "statements", CLICKS / 1000),
    puts: figure(results.clicks, "puts", CLICKS / 1000),
    rowsPerClick: figure(results.clicks, "rows_written", CLICKS),
    rowsPerConversion: figure(results.conversions, "rows_written", POSTBACKS),
    roundTripsPerConversion: figure(results.conversions, "round_trips", POSTBACKS),
    putsPerConversion: figure(results.conversions, "puts", POSTBACKS),
    unmetered: results.clicks.concat(results.conversions).reduce((sum, { unmetered }) => sum + unmetered, 0),
  };
}

/** The deployed modules, compressed. */
export function size(bench) {
  const list = Object.entries(bench.sources).map(([name, modules]) => {
    const parts = sizes(modules);
    const sum = (key) => parts.reduce((total, part) => total + part[key], 0);
    return { name, bytes: sum("bytes"), gzipped: sum("gzipped"), parts };
  });
  for (const { name, bytes, gzipped } of list) console.log(`size · ${name}: ${bytes} bytes, ${gzipped} gzipped`);
  return list;
}

/** From nothing to the first answer: new isolates in the running process, of an address that needs no store. */
export async function startup(bench) {
  const kinds = Object.keys(bench.sources);
  const run = async (kind, round) => {
    const url = `http://${HEADERS.Host}/no-such-address`;
    const details = { kind, name: `${kind}-${bench.started}-${round}`, url };
    const begin = performance.now();
    const { status } = await bench.server.ask("", "start", details);
    const cold = performance.now() - begin;
    const again = performance.now();
    await bench.server.ask("", "start", details);
    const warm = performance.now() - again;
    const result = { cold, warm, started: cold - warm, status, note: `${cold.toFixed(1)} ms, again ${warm.toFixed(1)} ms` };
    if (status >= 500) result.invalid = `the new isolate answered ${status}`;
    return result;
  };
  for (const kind of kinds) await run(kind, 0);
  return interleave("start of an isolate", kinds, 2 * bench.options.rounds, run);
}

/** From nothing to the first click: the process is started anew, configuration is read from the stores. */
export async function restart(bench) {
  const arms = bench.arms("backtrail_off", "redirect");
  const results = Object.fromEntries(arms.map((arm) => [arm, []]));
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    await bench.again();
    for (const arm of round % 2 === 1 ? arms : arms.toReversed()) {
      const time = async () => {
        const begin = performance.now();
        const { status } = await ask(bench.server.urls[arm] + CLICK, { headers: HEADERS });
        return { took: performance.now() - begin, status };
      };
      const first = await time();
      const second = await time();
      const result = { first: first.took, second: second.took };
      if (first.status !== 302) result.invalid = `the first click answered ${first.status}`;
      results[arm].push(result);
      const note = result.invalid ?? `${result.first.toFixed(1)} ms, the second ${result.second.toFixed(1)} ms`;
      console.log(`first click · round ${round} · ${arm}: ${note}`);
    }
  }
  return results;
}

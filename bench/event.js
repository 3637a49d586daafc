// A postback with everything that decides money (an event, a personal payout, a currency to convert) against a plain
// one. Both go to the same isolate of the same worker, so that the comparison is of what is asked, not of two processes.
import { ask, many, sleep } from "./http.js";
import { SHOP, acknowledged, clickIds, postbacks } from "./measure.js";
import { counter, figure } from "./once.js";
import { interleave } from "./rounds.js";
import { EVENT_CLICK, EVENT_INITIAL, EVENT_MONEY, EVENT_POSTBACK, seedEvent } from "./seed.js";

const TIMED = "backtrail_on";
const COUNTED = "backtrail_counted";
const EXACT = 500;
const COUNTED_POSTBACKS = 200;

/** Which rows are whose. */
const ROWS = {
  event: "conversions WHERE campaign_id = 2 AND event_id = 1",
  plain: "conversions WHERE campaign_id = 1",
};

/** Sends one postback per click, so many at once, and wants each recorded; gives the bodies. */
async function report(bench, arm, ids, atOnce, query, order) {
  const answers = await many(ids.length, atOnce, (i) =>
    ask(`${bench.server.urls[arm]}/postback?${query}&click_id=${ids[i]}&order_id=${order}-${i}`, { headers: SHOP }),
  );
  const wrong = answers.find(({ status, body }) => status !== 200 || JSON.parse(body).verdict !== "recorded");
  if (wrong !== undefined) throw new Error(`a postback to ${arm} answered ${wrong.status}: ${wrong.body}`);
  return answers.map(({ body }) => JSON.parse(body));
}

/** Sends a number of events that is known exactly: each is the event, is paid by the personal rule, was converted. */
async function account(bench, ids) {
  const bodies = await report(bench, TIMED, ids, 16, EVENT_POSTBACK, "exact-event");
  const { revenue, payout } = EVENT_MONEY;
  const isRight = (body) => body.event?.id === 1 && body.revenue.amount === revenue && body.payout.amount === payout;
  const wrong = bodies.find((body) => !isRight(body));
  if (wrong !== undefined) throw new Error(`the event is not what is to be measured: ${JSON.stringify(wrong)}`);
  const minor = Math.round(Number(payout) * 100);
  const statements = [
    `SELECT count(DISTINCT order_id) AS orders FROM ${ROWS.event} AND order_id LIKE 'exact-event-%' ` +
      `AND exchange_rate = '1.0842' AND payout = ${minor} AND explanation LIKE '%affiliate 1, event 1%'`,
  ];
  const [{ orders }] = await bench.server.ask(TIMED, "sql", { statements });
  if (orders !== ids.length) throw new Error(`${TIMED} acknowledged ${ids.length} events and has ${orders}`);
  console.log(`event · ${TIMED}: ${ids.length} sent, each is converted, paid by the personal rule and in D1`);
}

/** What events ask of D1, counted apart from any timing. */
async function count(bench) {
  await seedEvent(bench.server.urls[COUNTED]);
  const during = counter(bench);
  const ids = await clickIds(bench, COUNTED, COUNTED_POSTBACKS, EVENT_CLICK);
  await report(bench, COUNTED, ids, 8, EVENT_INITIAL, "initial");
  const rounds = [];
  for (let round = 1; round <= bench.options.rounds; round += 1) {
    rounds.push(await during(() => report(bench, COUNTED, ids, 8, EVENT_POSTBACK, `counted-event-${round}`)));
    console.log(`event · counts · round ${round} · ${COUNTED_POSTBACKS} postbacks: ${JSON.stringify(rounds.at(-1))}`);
  }
  return {
    rows: figure(rounds, "rows_written", COUNTED_POSTBACKS),
    roundTrips: figure(rounds, "round_trips", COUNTED_POSTBACKS),
    unmetered: rounds.reduce((sum, { unmetered }) => sum + unmetered, 0),
  };
}

/** Events with all that decides money, and plain postbacks, in rounds that alternate. */
export async function event(bench) {
  if (!bench.has(TIMED)) return undefined;
  await seedEvent(bench.server.urls[TIMED]);
  const supplies = {
    event: await postbacks(bench, { click: EVENT_CLICK, query: EVENT_POSTBACK }),
    plain: await postbacks(bench),
  };
  const run = (kind, seconds) => acknowledged(bench, TIMED, { ...supplies[kind].load(TIMED), seconds }, ROWS[kind]);
  try {
    // An event follows an initial conversion: every click has one before anything is measured.
    console.log(`event · reporting ${supplies.event.ids.length} initial conversions`);
    await report(bench, TIMED, supplies.event.ids, 32, EVENT_INITIAL, "initial");
    await account(bench, supplies.event.ids.slice(0, EXACT));
    await sleep(1000);
    for (const kind of ["event", "plain"]) await run(kind, bench.options.warm);
    const rounds = await interleave("event", ["event", "plain"], bench.options.rounds, (kind) => run(kind, bench.options.seconds));
    return { ...rounds, counts: await count(bench) };
  } finally {
    for (const supply of Object.values(supplies)) supply.remove();
  }
}

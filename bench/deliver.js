// Deliveries: how fast what is due goes to a receiver, and what one receiver that hangs costs the others. On a workerd
// of its own, with cron and queue as they are deployed; rows are put into the outbox past the Worker.
import { createServer } from "node:http";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Log, LogLevel, Miniflare, convertV4MiniflareOptions } from "miniflare";
import { sleep } from "./http.js";
import { backtrail } from "./modules.js";
import { BINDINGS, migrations } from "./seed.js";

/** What issue and design ask for: 10,000 due deliveries, and 1,000 to ten receivers. */
const DUE = 10_000;
const RECEIVERS = 10;
const EACH = 100;
const GIVE_UP_MS = 120_000;
/** The one of the ten that hangs in some rounds. */
const HANGING = 3;

/** Receivers on loopback, a port each, so that each is a host of its own. */
async function receivers(count) {
  const all = [];
  for (let number = 0; number < count; number += 1) {
    const receiver = { hangs: false, got: new Set(), requests: 0, last: 0 };
    receiver.server = createServer((request, response) => {
      request.resume();
      receiver.requests += 1;
      if (receiver.hangs) return;
      receiver.got.add(request.headers["webhook-id"]);
      receiver.last = performance.now();
      response.end("ok");
    });
    receiver.server.keepAliveTimeout = 60_000;
    await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.url = `http://127.0.0.1:${receiver.server.address().port}/in`;
    all.push(receiver);
  }
  return all;
}

async function startWorker(bench, folder) {
  const { plain } = await backtrail(bench.options.entry);
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      name: "backtrail",
      modules: plain,
      bindings: { ...BINDINGS, ENVIRONMENT: "development", CONNECTORS_TO_LOOPBACK: "on" },
      d1Databases: { DB: "deliver" },
      kvNamespaces: { KV: "deliver" },
      queueProducers: { DELIVERIES: "deliveries" },
      queueConsumers: { deliveries: { maxBatchSize: 100, maxBatchTimeout: 0 } },
      compatibilityDate: "2026-11-01",
      compatibilityFlags: ["global_fetch_strictly_public", "queue_consumer_no_wait_for_wait_until"],
      host: "127.0.0.1",
      cf: false,
      log: new Log(LogLevel.ERROR),
      resourcePersistencePath: folder,
    }),
  );
  await miniflare.ready;
  return miniflare;
}

const INSERT =
  "INSERT INTO deliveries (namespace, delivery_id, connector_id, kind, event_name, happened_at, \"values\", state, due_at, created_at) " +
  "SELECT 'bench', printf('msg_%012x%010x%010x', ?2, ?1, value), ?1, 'webhook', 'Purchase', ?2, '{\"VALUE\":\"15\",\"ORDER_ID\":\"o-' || value || '\"}', " +
  "'waiting', ?2, ?2 FROM (WITH RECURSIVE n (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ?3) SELECT value FROM n)";

/** Connectors with so many deliveries each, all due now. */
async function fill(db, targets, each) {
  await db.batch([
    db.prepare("DELETE FROM attempts"),
    db.prepare("DELETE FROM deliveries"),
    db.prepare("DELETE FROM receivers"),
    db.prepare("DELETE FROM connectors"),
  ]);
  const now = Date.now();
  for (const [index, target] of targets.entries()) {
    const parameters = ["VALUE", "ORDER_ID", "EVENT_NAME"].map((name) => ({ name: name.toLowerCase(), value: `{{${name}}}` }));
    const webhook = JSON.stringify({ method: "POST", url: target.url, parameters });
    await db
      .prepare("INSERT INTO connectors (namespace, id, name, mode, events, webhook, is_webhook_on, created_at) VALUES ('bench', ?1, 'c', 'enabled', '[]', ?2, 1, 1)")
      .bind(index + 1, webhook)
      .run();
    await db.prepare(INSERT).bind(index + 1, now, each).run();
  }
}

/** Runs the cron job once, which the queue follows up, until the receivers have everything. */
async function drain(miniflare, targets, each) {
  for (const target of targets) Object.assign(target, { got: new Set(), requests: 0, last: 0 });
  const began = performance.now();
  const worker = await miniflare.getWorker("backtrail");
  const tick = worker.scheduled({ cron: "* * * * *" });
  const wanted = targets.filter(({ hangs }) => !hangs);
  while (wanted.some(({ got }) => got.size < each)) {
    if (performance.now() - began > GIVE_UP_MS) {
      throw new Error(`after ${GIVE_UP_MS / 1000} s receivers have ${wanted.map(({ got }) => got.size).join(", ")} of ${each} each`);
    }
    await sleep(5);
  }
  const until = (those) => (Math.max(...those.map(({ last }) => last)) - began) / 1000;
  const seconds = until(wanted);
  const others = targets.filter((_, place) => place !== HANGING || targets.length === 1);
  await tick;
  const requests = wanted.reduce((sum, target) => sum + target.requests, 0);
  return { seconds, othersSeconds: until(others), perSecond: (wanted.length * each) / seconds, repeats: requests - wanted.length * each };
}

/** Waits until nothing is leased, so that no run goes on into the next round. */
async function settled(db) {
  for (;;) {
    const { waiting } = await db.prepare("SELECT count(*) AS waiting FROM deliveries WHERE lease IS NOT NULL").first();
    if (waiting === 0) return;
    await sleep(200);
  }
}

export async function deliver(bench) {
  const folder = mkdtempSync(join(bench.options.stores, "backtrail-deliver-"));
  const targets = await receivers(RECEIVERS);
  const miniflare = await startWorker(bench, folder);
  try {
    const db = await miniflare.getD1Database("DB", "backtrail");
    for (const sql of migrations()) await db.prepare(sql).run();
    await db.prepare("INSERT INTO namespaces (name, created_at) VALUES ('bench', 1)").run();
    const drained = [];
    const alone = [];
    const hanging = [];
    for (let round = 0; round <= bench.options.rounds; round += 1) {
      // The first round warms up.
      const keep = (list, result, title) => {
        if (round > 0) list.push(result);
        console.log(`deliver · round ${round}/${bench.options.rounds} · ${title}: ${JSON.stringify(result)}`);
      };
      await fill(db, targets.slice(0, 1), round === 0 ? 1_000 : DUE);
      keep(drained, await drain(miniflare, targets.slice(0, 1), round === 0 ? 1_000 : DUE), `${DUE} to one receiver`);
      await settled(db);
      await fill(db, targets, EACH);
      keep(alone, await drain(miniflare, targets, EACH), "ten receivers");
      await settled(db);
      await fill(db, targets, EACH);
      targets[HANGING].hangs = true;
      keep(hanging, await drain(miniflare, targets, EACH), "nine of ten, one hangs");
      targets[HANGING].hangs = false;
      await settled(db);
    }
    return { drained, alone, hanging };
  } finally {
    await miniflare.dispose();
    for (const { server } of targets) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

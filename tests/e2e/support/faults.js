// The Worker's entry with bindings that can be made to fail. It wraps the real entry and the real D1 and KV, and answers
// requests to `/__faults/…` itself, by which a test chooses the faults, counts what reached the stores, looks into D1 and
// runs the cron job. Nothing of it is part of the deployed Worker.

import { waitUntil } from "cloudflare:workers";
import { clicks, instance } from "./traps.js";
import entry from "the-real-entry";
import { seeded } from "./random.js";

const CALM = {
  // Milliseconds before every call.
  delay: 0,
  // Every call fails at once.
  down: false,
  // No call is answered until this is lifted; then all fail.
  hang: false,
  // Shares of the calls that fail before and after they had their effect. The next `failNext` calls fail before it.
  before: 0,
  after: 0,
  failNext: 0,
  // Only calls whose SQL (or key) contains this text are touched; all if null.
  match: null,
};
const d1 = {
  ...CALM,
  // A second database, `DB_AHEAD`, that is written first.
  // "mirror": both are written before the answer. "lie": the answer comes from the second one, and the real commit
  // follows behind it. That is an acknowledgement before the commit, whatever the statements are.
  ahead: "off",
};
const kv = {
  ...CALM,
  // `get` finds nothing, as after a negative look-up that was cached.
  empty: false,
};
let random = seeded(1);

const NOTHING = { batches: 0, statements: 0, rowsRead: 0, rowsWritten: 0, gets: 0, puts: 0, deletes: 0, lists: 0, failures: 0 };
const counts = { ...NOTHING };

async function through(faults, subject, effect) {
  const touched = faults.match === null || subject.includes(faults.match);
  if (!touched) return effect();
  if (faults.delay > 0) await pause(faults.delay);
  // A timer of this request, not a promise that another one settles: the runtime would cancel that.
  while (faults.hang) {
    await pause(25);
    if (!faults.hang) fail("Network connection lost.");
  }
  if (faults.down) fail("Network connection lost.");
  if (faults.failNext > 0) {
    faults.failNext -= 1;
    fail("Network connection lost.");
  }
  if (random() < faults.before) fail("Network connection lost.");
  const result = await effect();
  if (random() < faults.after) fail("Network connection lost.");
  return result;
}

function fail(message) {
  counts.failures += 1;
  throw new Error(`D1_ERROR: ${message}`);
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class D1PreparedStatement {
  constructor(database, sql, params = []) {
    this.database = database;
    this.sql = sql;
    this.params = params;
  }
  bind(...params) {
    return new D1PreparedStatement(this.database, this.sql, params);
  }
  on(real) {
    const statement = real.prepare(this.sql);
    return this.params.length > 0 ? statement.bind(...this.params) : statement;
  }
  run() {
    return this.database.execute([this], (real) => this.on(real).run());
  }
  all() {
    return this.database.execute([this], (real) => this.on(real).all());
  }
  first(column) {
    return this.database.execute([this], (real) => (column === undefined ? this.on(real).first() : this.on(real).first(column)));
  }
  raw(options) {
    return this.database.execute([this], (real) => this.on(real).raw(options));
  }
}

// The name matters: the Worker accepts no other class as a database.
class D1Database {
  constructor(real, second) {
    this.real = real;
    this.second = second;
  }
  prepare(sql) {
    return new D1PreparedStatement(this, sql);
  }
  batch(statements) {
    return this.execute(statements, (real) => real.batch(statements.map((statement) => statement.on(real))));
  }
  exec(sql) {
    return this.execute([{ sql }], (real) => real.exec(sql));
  }
  withSession() {
    return this;
  }
  getBookmark() {
    return null;
  }
  async execute(statements, effect) {
    counts.batches += 1;
    counts.statements += statements.length;
    const subject = statements.map((statement) => statement.sql).join(";\n");
    if (d1.ahead === "lie") {
      // The delay is the window in which a kill loses what was acknowledged.
      waitUntil(pause(d1.delay).then(() => effect(this.real)));
      return effect(this.second);
    }
    return through(d1, subject, async () => {
      const result = await effect(this.real);
      if (d1.ahead === "mirror") await effect(this.second);
      for (const one of [result].flat()) {
        counts.rowsRead += one?.meta?.rows_read ?? 0;
        counts.rowsWritten += one?.meta?.rows_written ?? 0;
      }
      return result;
    });
  }
}

class KvNamespace {
  constructor(real) {
    this.real = real;
  }
  get(key, options) {
    counts.gets += 1;
    // Of several keys it gives a map.
    const nothing = Array.isArray(key) ? new Map() : null;
    return through(kv, String(key), async () => (kv.empty ? nothing : this.real.get(key, options)));
  }
  getWithMetadata(key, options) {
    counts.gets += 1;
    const nothing = { value: null, metadata: null, cacheStatus: null };
    return through(kv, String(key), async () => (kv.empty ? nothing : this.real.getWithMetadata(key, options)));
  }
  put(key, value, options) {
    counts.puts += 1;
    return through(kv, String(key), () => this.real.put(key, value, options));
  }
  delete(key) {
    counts.deletes += 1;
    return through(kv, String(key), () => this.real.delete(key));
  }
  list(options) {
    counts.lists += 1;
    return through(kv, String(options?.prefix ?? ""), () => this.real.list(options));
  }
}

let wrapped;
function bindings(env) {
  wrapped ??= { ...env, DB: new D1Database(env.DB, env.DB_AHEAD), KV: new KvNamespace(env.KV) };
  return wrapped;
}

export default {
  async fetch(request, env, ctx) {
    // Not every address that arrives here can be parsed as a URL.
    const [, verb] = request.url.split("/__faults/");
    if (verb !== undefined) return control(verb, request, env, ctx);
    if (request.headers.has("x-cancelled")) abandon(ctx);
    return entry.fetch(request, bindings(env), ctx);
  },
  scheduled(controller, env, ctx) {
    return entry.scheduled(controller, bindings(env), ctx);
  },
  queue(batch, env, ctx) {
    return entry.queue(batch, bindings(env), ctx);
  },
};

// What a client that goes away does in production: nothing that the request left to be done behind its answer is waited
// for, so the runtime drops it with the request. (Locally the runtime does not cancel when a client goes away.)
function abandon(ctx) {
  Object.defineProperty(ctx, "waitUntil", { value: () => {} });
}

async function control(verb, request, env, ctx) {
  if (request.headers.get("x-faults") !== env.FAULTS_SECRET) return new Response(null, { status: 404 });
  const body = await request.json();
  switch (verb) {
    case "set":
      Object.assign(d1, body.d1);
      Object.assign(kv, body.kv);
      if (body.seed !== undefined) random = seeded(body.seed);
      return Response.json({ d1, kv });
    case "clear":
      Object.assign(d1, CALM, { ahead: "off" });
      Object.assign(kv, CALM, { empty: false });
      return Response.json({ d1, kv });
    case "counts": {
      const now = { ...counts };
      if (body.reset) Object.assign(counts, NOTHING);
      return Response.json(now);
    }
    case "clicks":
      Object.assign(clicks, body);
      return Response.json({ ...clicks, instance: instance() });
    case "migrate":
      for (const sql of body.statements) for (const db of [env.DB, env.DB_AHEAD]) await db.prepare(sql).run();
      return Response.json({});
    case "query":
      return Response.json((await env.DB.prepare(body.sql).bind(...(body.params ?? [])).all()).results);
    case "keys":
      return Response.json((await env.KV.list({ prefix: body.prefix ?? "" })).keys.map((key) => key.name));
    case "tick": {
      // The job counts as done when what it left behind is done as well.
      const behind = [];
      Object.defineProperty(ctx, "waitUntil", { value: (promise) => behind.push(promise) });
      await entry.scheduled({ scheduledTime: Date.now(), cron: "* * * * *", noRetry() {} }, bindings(env), ctx);
      for (let i = 0; i < behind.length; i++) await behind[i];
      return Response.json({});
    }
    default:
      return new Response(null, { status: 404 });
  }
}

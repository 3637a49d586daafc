// Backtrail behind shims that count what it asks of D1 and KV. Used for counting only, never for timing.
import worker from "backtrail";

const counts = { statements: 0, rows_written: 0, rows_read: 0, round_trips: 0, unmetered: 0, puts: 0, gets: 0 };

function meter(results) {
  counts.round_trips += 1;
  for (const { meta } of results) {
    counts.statements += 1;
    counts.rows_written += meta?.rows_written ?? 0;
    counts.rows_read += meta?.rows_read ?? 0;
  }
  return results;
}

class Statement {
  constructor(real) {
    this.real = real;
  }
  bind(...values) {
    return new Statement(this.real.bind(...values));
  }
  async run() {
    return meter([await this.real.run()])[0];
  }
  async all() {
    return meter([await this.real.all()])[0];
  }
  async first(column) {
    const { results } = await this.all();
    const row = results[0] ?? null;
    return column === undefined || row === null ? row : row[column];
  }
  async raw(options) {
    // The answer of `raw` carries no figures; such a statement is counted, and that its rows are not is said.
    counts.round_trips += 1;
    counts.statements += 1;
    counts.unmetered += 1;
    return this.real.raw(options);
  }
}

// workers-rs looks at the name of the binding's class.
class D1Database {
  constructor(real) {
    this.real = real;
  }
  prepare(sql) {
    return new Statement(this.real.prepare(sql));
  }
  async batch(statements) {
    return meter(await this.real.batch(statements.map(({ real }) => real)));
  }
  withSession(constraint) {
    return new D1Database(this.real.withSession(constraint));
  }
}

class KvNamespace {
  constructor(real) {
    this.real = real;
  }
  get(...details) {
    counts.gets += 1;
    return this.real.get(...details);
  }
  getWithMetadata(...details) {
    counts.gets += 1;
    return this.real.getWithMetadata(...details);
  }
  put(...details) {
    counts.puts += 1;
    return this.real.put(...details);
  }
  delete(...details) {
    return this.real.delete(...details);
  }
  list(...details) {
    return this.real.list(...details);
  }
}

let counted;

export default {
  fetch(request, env, ctx) {
    if (request.url.endsWith("/bench/counts")) return Response.json(counts);
    counted ??= { ...env, DB: new D1Database(env.DB), KV: new KvNamespace(env.KV) };
    return worker.fetch(request, counted, ctx);
  },
};

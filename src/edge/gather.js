// Batches of concurrent requests, sent to D1 together. D1 does one thing at a time, and a call costs far more than
// its statements; in a rush of postbacks, one call for many saves more than anything within a single one could.
// Each batch stays whole: what was one transaction becomes a part of a larger one.
//
// Requests share plain values only, and each looks for itself, by a timer of its own. A promise that one request
// resolves for another would save the timer, but under load dozens of them stalled together now and then, with I/O in
// the wrong request (seen on workerd 2026-11-17). A request may also end at any moment without running anything more,
// so a leader is a convenience, not a lock.
import { within } from "./bindings.js";

// Statements that are sent together. An invocation on a free plan has 50, and the leader needs some of its own.
export const MAX_STATEMENTS = 40;
// Calls under way at once, so that on a network a batch need not wait for the whole of another's journey.
export const MAX_CALLS = 2;
// How often one who waits looks whether his results are there, or whether it is his turn to send.
export const LOOK_MS = 4;
// So long a batch relies on others before it goes alone: who took it along is gone, or the database is slow.
export const PATIENCE_MS = 300;

/** D1 as `store/` needs it. A `shared` batch may go together with those of other requests. */
export async function batch(database, statements, shared, milliseconds) {
  const parsed = JSON.parse(statements);
  const results = shared ? gathering.run(database, parsed) : send(database, parsed);
  return JSON.stringify(await within(milliseconds, results));
}

/** The batches of an isolate before its database. A batch is a list of `[sql, ...values]`. */
export class Gathering {
  #waiting = new Set();
  /** When each call that is under way began. */
  #calls = new Set();

  /** Runs a batch as one transaction, perhaps with those of others, and gives the results of each statement. */
  async run(database, batch) {
    if (this.#isFree()) return this.#lead(database, batch);
    const place = { batch, results: undefined, isAlone: false };
    const since = Date.now();
    this.#waiting.add(place);
    while (place.results === undefined) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      const isWaiting = this.#waiting.has(place);
      if (place.isAlone || Date.now() - since > PATIENCE_MS) {
        this.#waiting.delete(place);
        return send(database, batch);
      }
      if (isWaiting && this.#isFree()) {
        this.#waiting.delete(place);
        return this.#lead(database, batch);
      }
    }
    return place.results;
  }

  #isFree() {
    for (const call of this.#calls) if (Date.now() - call.began > PATIENCE_MS) this.#calls.delete(call);
    return this.#calls.size < MAX_CALLS;
  }

  /** Sends a batch with the oldest that wait. */
  async #lead(database, batch) {
    const company = this.#company(batch.length);
    const call = { began: Date.now() };
    this.#calls.add(call);
    try {
      const results = await send(database, [batch, ...company.map((place) => place.batch)].flat());
      let at = batch.length;
      for (const place of company) place.results = results.slice(at, (at += place.batch.length));
      return results.slice(0, batch.length);
    } catch (error) {
      // One of them is at fault, or the database is: each finds out for itself.
      for (const place of company) place.isAlone = true;
      if (company.length === 0) throw error;
    } finally {
      this.#calls.delete(call);
    }
    return send(database, batch);
  }

  #company(count) {
    const company = [];
    for (const place of this.#waiting) {
      count += place.batch.length;
      if (count > MAX_STATEMENTS) break;
      this.#waiting.delete(place);
      company.push(place);
    }
    return company;
  }
}

/** Runs a batch on its own. */
export async function send(database, batch) {
  const results = await database.batch(batch.map(([sql, ...values]) => database.prepare(sql).bind(...values)));
  return results.map((result) => result.results ?? []);
}

const gathering = new Gathering();

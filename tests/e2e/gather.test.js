// Batches that travel together, without a Worker: what happens if one of them fails, or a request ends in between.
// Whether the real thing gains anything by it stands in rush.test.js.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, mock, test } from "node:test";
import { Gathering, MAX_CALLS, MAX_STATEMENTS, PATIENCE_MS } from "../../src/edge/gather.js";
import { eventually } from "./support/eventually.js";

/** A database that answers each statement with its first value, when `release` says so, and keeps what each call brought. */
class Database {
  calls = [];
  prepare = (sql) => ({ bind: (...values) => ({ sql, values }) });
  batch(statements) {
    return new Promise((resolve, reject) => {
      const answer = () => {
        const bad = statements.find(({ values }) => values[0] === "bad");
        if (bad) reject(new Error(`constraint failed: ${bad.values[1]}`));
        else resolve(statements.map(({ values }) => ({ results: [{ value: values[0] }] })));
      };
      this.calls.push({ values: statements.map(({ values }) => values[0]), answer });
    });
  }
}

const insert = (...values) => values.map((value) => ["INSERT ?1", value]);
const rows = (...values) => values.map((value) => [{ value }]);

let database;
let gathering;
// The gathering's clock. It stands still unless a test moves it, so that no batch runs out of patience with a busy machine.
let now = 1_800_000_000_000;
before(() => mock.method(Date, "now", () => now));
after(() => mock.restoreAll());
const run = (...values) => gathering.run(database, insert(...values));
/** Fills every place beside the one under test, so that what follows has to wait. */
const busy = () => Array.from({ length: MAX_CALLS }, (_, i) => run(`busy ${i}`));
const called = (count) => eventually(`call ${count}`, () => database.calls.length >= count && database.calls[count - 1]);

beforeEach(() => {
  database = new Database();
  gathering = new Gathering();
});

describe("a batch", () => {
  test("goes at once while nobody is in its way", async () => {
    const lone = run("a", "b");
    assert.deepEqual(database.calls[0].values, ["a", "b"]);
    database.calls[0].answer();
    assert.deepEqual(await lone, rows("a", "b"));
  });

  test("waits while the calls are taken, and then goes with the others that wait, each with its own results", async () => {
    const first = busy();
    const waiting = [run("a", "b"), run("c"), run("d", "e")];
    assert.equal(database.calls.length, MAX_CALLS);
    database.calls[0].answer();
    const together = await called(MAX_CALLS + 1);
    assert.deepEqual(together.values.toSorted(), ["a", "b", "c", "d", "e"]);
    together.answer();
    assert.deepEqual(await Promise.all(waiting), [rows("a", "b"), rows("c"), rows("d", "e")]);
    for (const { answer } of database.calls) answer();
    await Promise.all(first);
  });

  test("takes no more statements along than an invocation may have", async () => {
    const first = busy();
    const waiting = Array.from({ length: MAX_STATEMENTS }, (_, i) => run(`${i} a`, `${i} b`));
    for (let done = 0; done < 4; ) {
      const { answer, values } = await called(done + 1);
      assert.ok(values.length <= MAX_STATEMENTS, `${values.length} statements`);
      answer();
      done += 1;
    }
    await Promise.all([...first, ...waiting]);
    assert.ok(database.calls.length <= MAX_CALLS + 3, `${database.calls.length} calls`);
  });

  test("that is refused does not take its company down with it", async () => {
    const first = busy();
    const good = run("good");
    const bad = gathering.run(database, [["INSERT ?1 ?2", "bad", "conversions"]]);
    bad.catch(() => {});
    database.calls[0].answer();
    (await called(MAX_CALLS + 1)).answer();
    // Each is tried again, alone.
    (await called(MAX_CALLS + 2)).answer();
    (await called(MAX_CALLS + 3)).answer();
    assert.deepEqual(await good, rows("good"));
    await assert.rejects(bad, /constraint failed: conversions/);
    database.calls[1].answer();
    await Promise.all(first);
  });

  test("whose leader never comes back goes alone", async () => {
    busy();
    const waiting = [run("a"), run("b")];
    database.calls[0].answer();
    const lost = await called(MAX_CALLS + 1);
    assert.deepEqual(lost.values.toSorted(), ["a", "b"]);
    now += PATIENCE_MS + 1;
    const alone = await called(MAX_CALLS + 2);
    assert.equal(alone.values.length, 1);
    alone.answer();
    const follower = lost.values[0] === alone.values[0] ? undefined : waiting[lost.values[0] === "a" ? 1 : 0];
    assert.notEqual(follower, undefined, "the leader itself waits for its call");
    assert.deepEqual(await follower, rows(alone.values[0]));
  });

  test("of a request that ended while it waited is sent all the same, and stands in nobody's way", async (t) => {
    busy();
    // The runtime never runs a timer of a request that has ended.
    const timer = t.mock.method(globalThis, "setTimeout", () => {});
    run("ended");
    timer.mock.restore();
    const waiting = run("a");
    database.calls[0].answer();
    const together = await called(MAX_CALLS + 1);
    assert.deepEqual(together.values, ["a", "ended"]);
    together.answer();
    assert.deepEqual(await waiting, rows("a"));
  });

  test("goes although calls were made whose requests ended", async () => {
    busy();
    now += PATIENCE_MS + 1;
    run("a");
    assert.equal(database.calls.length, MAX_CALLS + 1);
  });
});

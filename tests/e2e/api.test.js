// The API as wire.md 10 describes it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createNamespace, Namespace } from "./support/tracker.js";
import { ROOT_KEY, startWorker } from "./support/worker.js";

let worker, shop, scene;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "operators");
  scene = await shop.campaign({ conversions_per_click: "per_order" });
});
after(() => worker?.stop());

function expectProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers["content-type"], /^application\/problem\+json\b/);
  const problem = answer.json;
  assert.equal(problem.status, status);
  assert.equal(typeof problem.title, "string");
  assert.equal(typeof problem.type, "string");
  assert.equal(typeof problem.code, "string");
  if (code !== undefined) assert.equal(problem.code, code);
  return problem;
}

describe("keys", () => {
  test("no key, a wrong key and another scheme are 401", async () => {
    for (const authorization of [undefined, "Bearer ", "Bearer bt_wrong", `Basic ${btoa("a:b")}`, shop.key]) {
      const answer = await shop.as(null).api("GET", "campaigns", { headers: authorization === undefined ? {} : { authorization } });
      expectProblem(answer, 401);
    }
  });

  test("a scope that the key lacks is 403", async () => {
    const { key } = await shop.create("keys", { name: "reader", scopes: ["read"] });
    const reader = shop.as(key);
    await reader.get("campaigns");
    expectProblem(await reader.api("POST", "affiliates", { body: { name: "Eve" } }), 403);
    expectProblem(await reader.api("PATCH", `campaigns/${scene.campaign.id}`, { body: { name: "Eve" } }), 403);
    const { key: writeOnly } = await shop.create("keys", { name: "writer", scopes: ["write"] });
    expectProblem(await shop.as(writeOnly).api("GET", "campaigns"), 403);
  });

  test("a key of a namespace creates no namespaces", async () => {
    const answer = await shop.api("POST", "namespaces", { body: { name: "intruder" } });
    assert.ok([403, 404].includes(answer.status), answer.text);
  });

  test("a revoked key is 401 at once, and keys are shown in plain only once", async () => {
    const made = await shop.create("keys", { name: "short-lived", scopes: ["read"] });
    assert.match(made.key, /^bt_[A-Za-z0-9_-]{43}$/);
    const brief = shop.as(made.key);
    await brief.get("campaigns");
    assert.ok(!JSON.stringify(await shop.all("keys")).includes(made.key));
    await shop.remove(`keys/${made.id}`);
    expectProblem(await brief.api("GET", "campaigns"), 401);
  });

  test("the root key names its namespace by a header, on any host", async () => {
    const root = new Namespace(worker, "operators", ROOT_KEY);
    const answer = await root.send({
      host: "anything.example",
      path: "/api/v1/campaigns",
      headers: { authorization: `Bearer ${ROOT_KEY}`, "x-backtrail-namespace": "operators" },
    });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.data.length, (await shop.all("campaigns")).length);
  });

  test("a namespace's key works on any host that names no other namespace", async () => {
    for (const [host, status] of [["api.example", 200], [shop.host, 200], ["other-tracking.localhost", 404]]) {
      const answer = await shop.send({ host, path: "/api/v1/campaigns", headers: { authorization: `Bearer ${shop.key}` } });
      assert.equal(answer.status, status, `${host}: ${answer.text}`);
    }
  });
});

describe("lists", () => {
  test("are read page by page with a cursor, each object once", async () => {
    const names = Array.from({ length: 25 }, (_, i) => `Affiliate ${i}`);
    for (const name of names) await shop.create("affiliates", { name });
    const seen = [];
    let pages = 0;
    for (let cursor = null; ; ) {
      const page = await shop.get(`affiliates?limit=10${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      assert.ok(page.data.length <= 10);
      seen.push(...page.data);
      pages += 1;
      cursor = page.next_cursor;
      if (cursor === null) break;
    }
    const all = await shop.all("affiliates");
    assert.equal(pages, Math.ceil(all.length / 10));
    assert.equal(new Set(seen.map((affiliate) => affiliate.id)).size, all.length);
    for (const name of names) assert.ok(seen.some((affiliate) => affiliate.name === name));
  });

  test("of conversions are filtered and keep their order over pages", async () => {
    const orders = Array.from({ length: 12 }, (_, i) => `page-${i}`);
    const clickId = await shop.clickId(scene);
    for (const order of orders) await shop.postback({ click_id: clickId, order_id: order });
    const everything = await shop.all("conversions");
    const paged = [];
    for (let cursor = null; ; ) {
      const page = await shop.get(`conversions?limit=5${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      paged.push(...page.data);
      cursor = page.next_cursor;
      if (cursor === null) break;
    }
    assert.deepEqual(paged, everything);
    assert.deepEqual((await shop.all("conversions", { order_id: "page-3" })).map((one) => one.order_id), ["page-3"]);
    assert.deepEqual((await shop.all("conversions", { click_id: clickId })).length, orders.length);
    // Without a proof of who sent them they are pending.
    assert.equal((await shop.all("conversions", { status: "pending" })).length, everything.length);
    assert.deepEqual(await shop.all("conversions", { status: "approved" }), []);
    assert.deepEqual(await shop.all("conversions", { campaign_id: "999999" }), []);
    const ahead = new Date(Date.now() + 3_600_000).toISOString();
    assert.deepEqual(await shop.all("conversions", { from: ahead }), []);
    assert.equal((await shop.all("conversions", { to: ahead })).length, everything.length);
  });

  test("refuse a limit, a cursor or a filter that makes no sense", async () => {
    for (const query of ["limit=0", "limit=501", "limit=-1", "limit=ten", "cursor=%00", "cursor=nonsense", "no_such_filter=1"]) {
      expectProblem(await shop.api("GET", `conversions?${query}`), 400);
    }
  });
});

describe("objects", () => {
  test("a PATCH merges, and leaves what is not named", async () => {
    const campaign = await shop.get(`campaigns/${scene.campaign.id}`);
    const patched = await shop.patch(`campaigns/${scene.campaign.id}`, { name: "Renamed", window_days: 7 });
    assert.deepEqual(patched, { ...campaign, name: "Renamed", window_days: 7 });
    assert.deepEqual(await shop.get(`campaigns/${scene.campaign.id}`), patched);
    await shop.patch(`campaigns/${scene.campaign.id}`, { name: campaign.name, window_days: campaign.window_days });
  });

  test("what may only be set on creation cannot be patched", async () => {
    for (const [path, body] of [
      [`campaigns/${scene.campaign.id}`, { currency: "EUR" }],
      [`campaigns/${scene.campaign.id}`, { advertiser_id: 1 }],
      [`links/${scene.link.id}`, { campaign_id: 1 }],
      [`links/${scene.link.id}`, { affiliate_id: 1 }],
      [`campaigns/${scene.campaign.id}`, { id: 7 }],
    ]) {
      expectProblem(await shop.api("PATCH", path, { body }), 400, "invalid_fields");
    }
  });

  test("an unknown field is refused by name, and nothing is created", async () => {
    const count = (await shop.all("affiliates")).length;
    const answer = await shop.api("POST", "affiliates", { body: { name: "Bob", nickname: "Bobby" } });
    const { errors } = expectProblem(answer, 400, "invalid_fields");
    assert.deepEqual(errors.map((error) => error.field), ["nickname"]);
    for (const error of errors) assert.deepEqual(Object.keys(error).sort(), ["code", "field", "message"]);
    assert.equal((await shop.all("affiliates")).length, count);
  });

  test("every field in error is named at once", async () => {
    const answer = await shop.api("POST", "campaigns", {
      body: { name: "", advertiser_id: scene.advertiser.id, currency: "DOLLARS", authentication: "maybe", window_days: 0 },
    });
    const { errors } = expectProblem(answer, 400, "invalid_fields");
    const fields = errors.map((error) => error.field);
    for (const field of ["currency", "authentication", "window_days"]) assert.ok(fields.includes(field), `${field} in ${fields}`);
  });

  test("a missing field and another's id are refused by name", async () => {
    const missing = expectProblem(await shop.api("POST", "affiliates", { body: {} }), 400, "invalid_fields");
    assert.deepEqual(missing.errors.map((error) => error.field), ["name"]);
    const dangling = await shop.api("POST", "links", { body: { campaign_id: 999_999, affiliate_id: scene.affiliate.id } });
    assert.deepEqual(expectProblem(dangling, 400, "invalid_fields").errors.map((error) => error.field), ["campaign_id"]);
  });

  test("a landing page must be https or listed, and its macros known", async () => {
    for (const url of [
      "javascript:alert(1)",
      "data:text/html,hi",
      "file:///etc/passwd",
      "market://details?id=app",
      "//shop.example",
      "shop.example",
      "https://",
      "https://user:secret@shop.example/",
      "https://shop.example/?x={no_such_macro}",
      "https://shop.example/\r\nSet-Cookie: a=b",
    ]) {
      const body = { campaign_id: scene.campaign.id, name: "Bad", url };
      const { errors } = expectProblem(await shop.api("POST", "landing-pages", { body }), 400, "invalid_fields");
      assert.deepEqual(errors.map((error) => error.field), ["url"], url);
    }
  });

  test("bodies that are no JSON object are refused", async () => {
    for (const body of ["", "{", "[]", "null", "1", '"a"', "[".repeat(2_000), '{"name":"\\ud800"}', '{"name":"a"} {}']) {
      expectProblem(await shop.api("POST", "affiliates", { body }), 400);
    }
    expectProblem(await shop.api("POST", "affiliates", { body: JSON.stringify({ name: "a".repeat(70_000) }) }), 413);
  });
});

describe("Idempotency-Key", () => {
  test("the same request again answers as the first time and creates nothing more", async () => {
    const count = (await shop.all("affiliates")).length;
    const send = (name) => shop.api("POST", "affiliates", { body: { name }, headers: { "idempotency-key": "create-carol" } });
    const first = await send("Carol");
    assert.equal(first.status, 201, first.text);
    const again = await send("Carol");
    assert.equal(again.status, 201, again.text);
    assert.deepEqual(again.json, first.json);
    assert.equal((await shop.all("affiliates")).length, count + 1);
    const other = await send("Dave");
    assert.ok([400, 409].includes(other.status), other.text);
    assert.equal((await shop.all("affiliates")).length, count + 1);
  });

  test("sent concurrently it creates once", async () => {
    const count = (await shop.all("affiliates")).length;
    const answers = await Promise.all(Array.from({ length: 8 }, () =>
      shop.api("POST", "affiliates", { body: { name: "Erin" }, headers: { "idempotency-key": "create-erin" } })));
    assert.ok(answers.some((answer) => answer.status === 201));
    for (const answer of answers) assert.ok([201, 409].includes(answer.status), answer.text);
    assert.equal((await shop.all("affiliates")).length, count + 1);
  });
});

describe("the inbox", () => {
  test("keeps what was refused after authentication, without secrets, and judges it again", async () => {
    const shop = await createNamespace(worker, "letters");
    const scene = await shop.campaign({ authentication: "token", required_parameters: ["order_id"] });
    const token = await shop.token("campaign", scene.campaign.id);
    const clickId = await shop.clickId(scene);
    await shop.postback({ click_id: clickId, token }, 400);
    const [entry] = await shop.all("inbox", { verdict: "rejected" });
    assert.equal(entry.reason, "missing_parameter");
    assert.ok(!JSON.stringify(entry).includes(token));
    await shop.patch(`campaigns/${scene.campaign.id}`, { required_parameters: [] });
    const id = entry.request_id ?? entry.id;
    const judged = (await shop.api("POST", `inbox/${id}/judge`, { expect: 200 })).json;
    assert.equal(judged.verdict, "recorded");
    assert.equal((await shop.all("conversions")).length, 1);
    assert.equal((await shop.get(`inbox/${id}`)).verdict, "recorded");
  });

  test("does not keep what failed authentication", async () => {
    const shop = await createNamespace(worker, "strangers");
    const scene = await shop.campaign({ authentication: "token" });
    const clickId = await shop.clickId(scene);
    await shop.postback({ click_id: clickId, token: "wrong" }, 401);
    await shop.postback({ click_id: clickId }, 401);
    assert.deepEqual(await shop.all("inbox"), []);
  });
});

describe("addresses", () => {
  test("of the API never redirect, and unknown ones are 404 problems", async () => {
    for (const path of ["campaigns/", "nothing", "campaigns/1/2/3", "campaigns/abc", "campaigns/-1", "campaigns/1e3", "campaigns/0"]) {
      expectProblem(await shop.api("GET", path), 404);
    }
    for (const method of ["PUT", "DELETE"]) {
      const answer = await shop.api(method, "campaigns");
      expectProblem(answer, 405);
      assert.match(answer.headers.allow, /GET/);
    }
  });

  test("health answers on any host", async () => {
    const health = await shop.send({ host: "anything.example", path: "/health" });
    assert.equal(health.status, 200, health.text);
    assert.equal(health.json.status, "ok");
  });
});

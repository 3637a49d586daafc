// What connectors send, on the real thing: D1, cron and queue of workerd, and a receiver on loopback.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { eventually } from "./support/eventually.js";
import { attemptsOf, deliveriesOf, insertConnector, insertDeliveries } from "./support/outbox.js";
import { startReceiver } from "./support/receiver.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, receiver, slow, demo;
before(async () => {
  receiver = await startReceiver();
  // One that hangs holds up what else goes to the same receiver, longer than a run lasts.
  slow = await startReceiver();
  worker = await startWorker();
  demo = await createNamespace(worker, "demo");
});
after(async () => {
  await worker?.stop();
  await receiver?.stop();
  await slow?.stop();
});

let connectors = 0;
/** A connector that posts a form to a path of the receiver. */
function connector(path, more = {}) {
  const parameters = [{ name: "value", value: "{{VALUE}}" }];
  return insertConnector(worker, "demo", (connectors += 1), { method: "POST", url: receiver.origin + path, parameters, ...more });
}

test("the cron job sends what is due, once, and writes down what became of it", async () => {
  const id = await connector("/ok");
  await insertDeliveries(worker, "demo", id, 3);
  await worker.tick();
  await worker.tick();
  const got = receiver.at("/ok");
  assert.equal(got.length, 3);
  assert.deepEqual([got[0].method, got[0].body, got[0].headers["content-type"]], ["POST", "value=15", "application/x-www-form-urlencoded"]);
  const deliveries = await deliveriesOf(worker, "demo", id);
  assert.deepEqual(got.map(({ headers }) => headers["webhook-id"]).sort(), deliveries.map((one) => one.delivery_id).sort());
  for (const { state, attempts, due_at, lease } of deliveries) assert.deepEqual([state, attempts, due_at, lease], ["delivered", 1, null, null]);
  const [line] = await attemptsOf(worker, "demo", id);
  assert.deepEqual([line.attempt, line.method, line.url, line.status, line.error], [1, "POST", `${receiver.origin}/ok`, 200, null]);
  assert.equal(line.answer.length, 1024);
});

test("only 2xx is success; redirects are not followed; what hangs or resets is a failed attempt", async () => {
  receiver.reacts("/500", 500);
  receiver.reacts("/429", [429, { "retry-after": "90" }]);
  receiver.reacts("/301", [301, { location: `${receiver.origin}/followed` }]);
  slow.reacts("/hang", "hang");
  receiver.reacts("/reset", "reset");
  receiver.reacts("/410", 410);
  receiver.reacts("/204", 204);
  const paths = ["/500", "/429", "/301", "/hang", "/reset", "/410", "/204"];
  const ids = {};
  for (const path of paths) {
    ids[path] = await connector(path, path === "/hang" ? { url: `${slow.origin}/hang` } : {});
    await insertDeliveries(worker, "demo", ids[path]);
  }
  const began = Date.now();
  await worker.tick();
  const seen = {};
  for (const path of paths) {
    assert.equal((path === "/hang" ? slow : receiver).at(path).length, 1, path);
    const [delivery] = await deliveriesOf(worker, "demo", ids[path]);
    const [line] = await attemptsOf(worker, "demo", ids[path]);
    const wait = delivery.due_at === null ? null : Math.round((delivery.due_at - line.at) / 1000);
    seen[path] = { state: delivery.state, status: line.status, error: line.error, wait };
  }
  assert.equal(receiver.at("/followed").length, 0);
  assert.deepEqual([seen["/204"].state, seen["/204"].status, seen["/204"].error], ["delivered", 204, null]);
  assert.deepEqual([seen["/410"].state, seen["/410"].status], ["exhausted", 410]);
  for (const path of ["/500", "/429", "/301", "/hang", "/reset"]) assert.equal(seen[path].state, "waiting", path);
  assert.deepEqual([seen["/500"].status, seen["/429"].status, seen["/301"].status], [500, 429, 301]);
  // The time is counted from when the answer was noted, which is after the beginning of the attempt.
  assert.ok(seen["/429"].wait >= 90 && seen["/429"].wait < 105, JSON.stringify(seen["/429"]));
  assert.match(seen["/301"].error, /redirect, which is not followed/);
  assert.match(seen["/hang"].error, /no answer within 15 s/);
  assert.equal(seen["/reset"].status, null);
  assert.ok(seen["/500"].wait >= 4 && seen["/500"].wait < 21, JSON.stringify(seen["/500"]));
  assert.ok(Date.now() - began >= 15_000);
  const [gone] = await worker.query("SELECT mode, note FROM connectors WHERE namespace = 'demo' AND id = ?1", ids["/410"]);
  assert.equal(gone.mode, "disabled");
  assert.match(gone.note, /410/);
  await worker.query("UPDATE connectors SET mode = 'disabled' WHERE namespace = 'demo'");
});

/** Verifies as a stranger's receiver would. */
const verify = (secret, { headers }, content, name = "webhook-signature") =>
  new Webhook(secret).verify(content, {
    "webhook-id": headers["webhook-id"],
    "webhook-timestamp": headers["webhook-timestamp"],
    "webhook-signature": headers[name],
  });

test("a library of Standard Webhooks verifies what is sent, also while the secret is rotated", async () => {
  const json = { method: "POST", format: "json", parameters: [{ name: "value", value: "{{VALUE}}" }] };
  const id = await connector("/signed", json);
  const first = await demo.get(`connectors/${id}/secret`);
  assert.match(first.secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.equal(first.former_secret, null);
  const send = async () => {
    const before = receiver.at("/signed").length;
    await insertDeliveries(worker, "demo", id);
    await worker.tick();
    const got = receiver.at("/signed");
    assert.equal(got.length, before + 1);
    return got.at(-1);
  };
  const plain = await send();
  assert.deepEqual(verify(first.secret, plain, plain.body), { value: "15" });
  assert.equal(plain.headers["webhook-signature"].split(" ").length, 1);
  assert.throws(() => verify(first.secret, plain, plain.body.replace("15", "16")));
  assert.throws(() => verify(first.secret, { headers: { ...plain.headers, "webhook-id": "msg_other" } }, plain.body));

  const { json: rotated } = await demo.api("POST", `connectors/${id}/rotate`, { expect: 200 });
  assert.notEqual(rotated.secret, first.secret);
  assert.equal(rotated.former_secret, first.secret);
  const { json: repeated } = await demo.api("POST", `connectors/${id}/rotate`, { expect: 200 });
  assert.equal(repeated.secret, rotated.secret, "a repeat within a minute rotates no further");
  const both = await send();
  for (const secret of [first.secret, rotated.secret]) assert.deepEqual(verify(secret, both, both.body), { value: "15" });

  await worker.query("UPDATE connectors SET rotated_at = ?1 WHERE namespace = 'demo' AND id = ?2", Date.now() - 24 * 3600 * 1000 - 1, id);
  const later = await send();
  assert.deepEqual(verify(rotated.secret, later, later.body), { value: "15" });
  assert.throws(() => verify(first.secret, later, later.body));

  const reader = await demo.create("keys", { name: "reader", scopes: ["read"] });
  await demo.as(reader.key).get(`connectors/${id}/secret`, 403);
});

test("a GET is signed over its empty body and over its address", async () => {
  const id = await connector("/get", { method: "GET", headers: [{ name: "x-own", value: "1" }] });
  await insertDeliveries(worker, "demo", id);
  await worker.tick();
  const [got] = receiver.at("/get");
  assert.deepEqual([got.method, got.url, got.headers["x-own"], got.body], ["GET", "/get?value=15", "1", ""]);
  const { secret } = await demo.get(`connectors/${id}/secret`);
  // The library reads JSON out of what it has verified; neither an empty text nor an address is any.
  const isSigned = (content, name) => {
    try {
      verify(secret, got, content, name);
      return true;
    } catch (error) {
      return error instanceof SyntaxError;
    }
  };
  assert.ok(isSigned("", "webhook-signature"));
  assert.ok(isSigned(`${receiver.origin}/get?value=15`, "webhook-signature-url"));
  assert.ok(!isSigned(`${receiver.origin}/get?value=16`, "webhook-signature-url"));
});

test("operators list deliveries with their attempts, cancel what waits and replay what failed", async () => {
  receiver.reacts("/flaky", 404);
  const id = await connector("/flaky");
  await insertDeliveries(worker, "demo", id, 3, { VALUE: "15" }, { EMAIL: "jane@shop.example" });
  await worker.tick();
  const waiting = await demo.get(`deliveries?connector_id=${id}&state=waiting`);
  assert.equal(waiting.data.length, 3);
  const { delivery_id } = waiting.data[0];
  assert.deepEqual(waiting.data[0].personal, { EMAIL: "jane@shop.example" });
  const reader = await demo.create("keys", { name: "reader", scopes: ["read"] });
  const masked = await demo.as(reader.key).get(`deliveries/${delivery_id}`);
  assert.deepEqual(masked.personal, { EMAIL: "j***@shop.example" });
  assert.deepEqual([masked.attempts.length, masked.attempts[0].status, masked.attempts[0].attempt], [1, 404, 1]);
  assert.match(masked.attempts[0].at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

  const { json: cancelled } = await demo.api("POST", `connectors/${id}/cancel`, { expect: 200 });
  assert.deepEqual(cancelled, { cancelled: 3, is_done: true });
  receiver.reacts("/flaky", 200);
  await demo.api("POST", `deliveries/${delivery_id}/replay`, { expect: 200 });
  const body = { state: "cancelled", connector_id: id };
  const { json: replayed } = await demo.api("POST", "deliveries/replay", { body, expect: 200 });
  assert.deepEqual(replayed, { replayed: 2, next_cursor: null });
  await worker.tick();
  const delivered = await demo.get(`deliveries?connector_id=${id}&state=delivered`);
  assert.equal(delivered.data.length, 3);
  assert.deepEqual(delivered.data[0].attempts.map(({ status }) => status), [404, 200]);
  assert.equal(delivered.data[0].personal, null);
});

test("with a queue a sale is told within moments, without the cron job", async () => {
  const prompt = await startWorker({ hasQueue: true });
  try {
    const shop = await createNamespace(prompt, "prompt", { collect_origins: ["https://shop.example"] });
    const scene = await shop.campaign();
    const webhook = { method: "GET", url: `${receiver.origin}/prompt`, parameters: [{ name: "id", value: "{{ORDER_ID}}" }] };
    await shop.create("connectors", { name: "told", mode: "enabled", events: ["Purchase"], webhook, is_webhook_on: true });
    const event = { method: "GET", url: `${receiver.origin}/event`, parameters: [{ name: "id", value: "{{NUMBER}}" }] };
    await shop.create("connectors", { name: "event", mode: "enabled", events: ["PageView"], webhook: event, is_webhook_on: true });
    for (let sale = 0; sale < 5; sale++) await shop.postback({ click_id: await shop.clickId(scene), order_id: `o-${sale}` });
    await eventually("all five are told", () => receiver.at("/prompt").length >= 5);
    const told = receiver.at("/prompt").map(({ url }) => url).sort();
    assert.deepEqual(told, [0, 1, 2, 3, 4].map((sale) => `/prompt?id=o-${sale}`));

    // So is a site event that becomes no conversion.
    const headers = { origin: "https://shop.example", "content-type": "text/plain" };
    const body = JSON.stringify({ event: "PageView", data: { number: 7 } });
    assert.equal((await shop.send({ method: "POST", path: "/collect", headers, body })).status, 200);
    await eventually("the site event is told", () => receiver.at("/event").length > 0);
    assert.deepEqual(receiver.at("/event").map(({ url }) => url), ["/event?id=7"]);

    // The second attempt follows five seconds after the first; the cron job never runs.
    receiver.reacts("/prompt", 500);
    await shop.postback({ click_id: await shop.clickId(scene), order_id: "again" });
    await eventually("the first attempt", () => receiver.at("/prompt").some(({ url }) => url.endsWith("again")));
    receiver.reacts("/prompt", 200);
    const again = () => receiver.at("/prompt").filter(({ url }) => url.endsWith("again"));
    await eventually("the second attempt", () => again().length === 2, { within: 15_000 });
    assert.equal(again()[0].headers["webhook-id"], again()[1].headers["webhook-id"]);
  } finally {
    await prompt.stop();
  }
});

// Signed postbacks (wire.md 7) against the real Worker: what a sender signs is what reaches the verification, byte for byte.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { raw, request } from "./support/raw.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop, secret, clickId;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "signed");
  const scene = await shop.campaign({ authentication: "hmac", conversions_per_click: "per_order" });
  ({ secret } = await shop.create("signing-secrets", { campaign_id: scene.campaign.id }));
  clickId = await shop.clickId(scene);
});
after(() => worker?.stop());

const now = () => String(Math.floor(Date.now() / 1000));
const sign = (...lines) => {
  const mac = createHmac("sha256", secret);
  lines.forEach((line, index) => mac.update(index ? "\n" : "").update(line));
  return mac.digest("hex");
};

/** Sends bytes as they are, signed by the query or by headers. */
async function sendSigned(method, path, query, { by = "query", body = "", host = shop.host, headers = [] } = {}) {
  const timestamp = now();
  const stamped = by === "query" ? `${query}${query && "&"}timestamp=${timestamp}` : query;
  const signature = sign(timestamp, method, host.toLowerCase(), path, stamped, Buffer.from(body, "latin1"));
  const target = by === "query" ? `${path}?${stamped}&signature=${signature}` : `${path}${query && "?"}${query}`;
  const signed = by === "query" ? [] : [["X-Backtrail-Timestamp", timestamp], ["X-Backtrail-Signature", signature]];
  const answer = await raw(worker.port, request(method, target, { host, body, headers: [...signed, ...headers] }));
  return { ...answer, json: JSON.parse(answer.body) };
}

const recorded = (answer) => assert.deepEqual([answer.status, answer.json.verdict], [200, "recorded"], answer.body);

// Quotes and angle brackets are left out: the server in front of the Worker refuses them unencoded.
test("queries reach the verification as they were sent", async () => {
  const queries = ["a=%2f%2F%7e+%20", "a='", "a=|", "a=^`", "a={}", "a=[]", "a=\\\\", "a=;b,c:d@e!f$g(h)*", "&&a&=b&a==", "a=%zz%", "a=..%2f./"];
  for (const [index, query] of queries.entries()) {
    for (const by of ["query", "headers"]) {
      recorded(await sendSigned("GET", "/postback", `click_id=${clickId}&order_id=${by}${index}&${query}`, { by }));
    }
  }
});

test("forms and JSON, also to the root, and a host in capitals", async () => {
  const form = ["Content-Type", "application/x-www-form-urlencoded"];
  const body = `click_id=${clickId}&order_id=f1&amount=1.00`;
  recorded(await sendSigned("POST", "/postback", "", { by: "headers", body, headers: [form] }));
  recorded(await sendSigned("POST", "/", "", { body: body.replace("f1", "f2"), headers: [form] }));
  const json = `{\r\n "click_id": "${clickId}",\t"order_id": "\xc3\xa9" }\n`;
  recorded(await sendSigned("POST", "/postback", "", { by: "headers", body: json, headers: [["Content-Type", "application/json"]] }));
  const host = shop.host.replace("signed", "Signed");
  recorded(await sendSigned("GET", "/postback", `click_id=${clickId}&order_id=c1`, { host }));
  recorded(await sendSigned("GET", "/", `transaction_id=${clickId}&order_id=r1`));
});

test("what is not signed, or was changed, is refused", async () => {
  const query = `click_id=${clickId}&order_id=x1`;
  const unsigned = await shop.send({ path: `/postback?${query}` });
  assert.deepEqual([unsigned.status, unsigned.json.reason], [401, "bad_signature"]);
  const timestamp = now();
  const signature = sign(timestamp, "GET", shop.host, "/postback", query, "");
  const headers = { "x-backtrail-timestamp": timestamp, "x-backtrail-signature": signature };
  const changed = await shop.send({ path: `/postback?${query}&amount=9`, headers });
  assert.deepEqual([changed.status, changed.json.reason], [401, "bad_signature"]);
  const other = await shop.send({ method: "POST", path: `/postback?${query}`, headers });
  assert.deepEqual([other.status, other.json.reason], [401, "bad_signature"]);
  const early = String(Number(timestamp) - 301);
  const stale = { "x-backtrail-timestamp": early, "x-backtrail-signature": sign(early, "GET", shop.host, "/postback", query, "") };
  const answer = await shop.send({ path: `/postback?${query}`, headers: stale });
  assert.deepEqual([answer.status, answer.json.reason], [401, "stale_timestamp"]);
  const control = await shop.send({ path: `/postback?${query}`, headers });
  assert.equal(control.json.verdict, "recorded");
});

// No input crashes the Worker: every malformed, oversized or hostile request gets a 4xx with its reason.
// Requests are written as bytes, because a well-behaved client would repair many of them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { seeded } from "./support/random.js";
import { raw, request } from "./support/raw.js";
import { concurrently } from "./support/senders.js";
import { createNamespace, REPLY_KEYS } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop, scene, clickId;
let orders = 0;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "hostile");
  scene = await shop.campaign({ conversions_per_click: "per_order", is_amount_trusted: true, is_pixel_allowed: true });
  clickId = await shop.clickId(scene);
});
// The Worker is still well after everything that was thrown at it.
after(async () => {
  if (!worker) return;
  const health = await shop.send({ path: "/health" });
  const reply = await shop.postback({ click_id: clickId, order_id: "after-all" });
  await worker.stop();
  assert.equal(health.status, 200);
  assert.equal(reply.verdict, "recorded");
});

const send = (method, target, options = {}) => raw(worker.port, request(method, target, { host: shop.host, ...options }));

/** A postback that would be recorded if the last part were not there. */
const query = (rest) => {
  orders += 1;
  return `/postback?click_id=${clickId}&order_id=order-${orders}${rest && `&${rest}`}`;
};

function expectRefusal(answer, status, reason, parameter) {
  assert.equal(answer.status, status, JSON.stringify(answer).slice(0, 600));
  const reply = JSON.parse(answer.body);
  for (const key of REPLY_KEYS) assert.ok(key in reply, `${key} is missing`);
  assert.equal(reply.verdict, "rejected");
  assert.equal(reply.reason, reason);
  assert.equal(typeof reply.detail, "string");
  if (parameter !== undefined) assert.equal(reply.parameter, parameter);
}

describe("amounts", () => {
  for (const value of [
    "1e309", "1e3", "NaN", "Infinity", "-Infinity", "-0", "-1", "%2B1", "1,5", "1.", ".5", "1.1234567", "9".repeat(30),
    "1234567890123", "0x10", "1%20000", "1_000", "%EF%BC%91", "%D9%A1", "1%00", "1%0a2", "$5", "5USD", "1.2.3", "null", "true",
  ]) {
    test(`${show(value)} is an invalid amount`, async () => {
      expectRefusal(await send("GET", query(`amount=${value}`)), 400, "invalid_parameter", "amount");
    });
  }

  for (const value of ["0", "000000000001", "999999999999", "1.005", "0.000001", "+1+", "%201", ""]) {
    test(`${show(value)} is a valid amount or none`, async () => {
      const answer = await send("GET", query(`amount=${value}`));
      assert.equal(answer.status, 200, answer.body);
    });
  }

  test("numbers in JSON keep their literal text", async () => {
    for (const [literal, status] of [["1e309", 400], ["-0", 400], ["1E2", 400], ["12.50", 200], ["9".repeat(30), 400]]) {
      orders += 1;
      const body = `{"click_id":"${clickId}","order_id":"order-${orders}","amount":${literal}}`;
      const answer = await send("POST", "/postback", { body, headers: [["Content-Type", "application/json"]] });
      assert.equal(answer.status, status, `${literal}: ${answer.body}`);
    }
  });
});

describe("placeholders that were not replaced", () => {
  for (const value of [
    "REPLACE", "CLICK_ID", "{click_id}", "{{CLICK_ID}}", "[click_id]", "%25click_id%25", "%23click_id%23", "%7Bcid%7D",
  ]) {
    test(`${show(value)} as click_id`, async () => {
      const target = `/postback?campaign_id=${scene.campaign.id}&click_id=${value}`;
      expectRefusal(await send("GET", target), 400, "placeholder_not_replaced", "click_id");
    });
    test(`${show(value)} as order_id`, async () => {
      const target = `/postback?click_id=${clickId}&order_id=${value}`;
      expectRefusal(await send("GET", target), 400, "placeholder_not_replaced", "order_id");
    });
  }
});

describe("click_ids", () => {
  const flip = (id, at) => id.slice(0, at) + (id[at] === "A" ? "B" : "A") + id.slice(at + 1);
  for (const [what, forge] of [
    ["with one character too few", (id) => id.slice(0, 47)],
    ["with one character too many", (id) => `${id}A`],
    ["in lower case", (id) => id.toLowerCase()],
    ["of nothing but A", () => "A".repeat(48)],
    ["with padding", (id) => `${id.slice(0, 46)}==`],
    ["with a character outside base64url", (id) => `${id.slice(0, 20)}%2F${id.slice(21)}`],
    ["with a space inside", (id) => `${id.slice(0, 20)}+${id.slice(21)}`],
    ["with NULs", (id) => `${id.slice(0, 45)}%00%00%00`],
    ["of ten thousand characters", () => "A".repeat(10_000)],
    ["that is SQL", () => "'%20OR%201=1--"],
    ["of another key number", (id) => `R${id.slice(1)}`],
    ...[0, 1, 5, 8, 13, 20, 30, 31, 32, 40, 47].map((at) => [`changed at character ${at}`, (id) => flip(id, at)]),
  ]) {
    test(`${what} are unknown clicks or invalid, and never convert`, async () => {
      const answer = await send("GET", `/postback?campaign_id=${scene.campaign.id}&order_id=forged&click_id=${forge(clickId)}`);
      const { verdict, reason } = JSON.parse(answer.body);
      assert.equal(verdict, "rejected");
      assert.ok(
        (answer.status === 404 && reason === "unknown_click") || (answer.status === 400 && reason === "invalid_parameter"),
        `${answer.status} ${reason}`,
      );
    });
  }

  test("in lower case say so", async () => {
    const reply = await shop.postback({ campaign_id: scene.campaign.id, click_id: clickId.toLowerCase(), order_id: "low" }, 404);
    assert.match(reply.detail, /capital|lower/i);
  });
});

describe("parameters", () => {
  const form = [["Content-Type", "application/x-www-form-urlencoded"]];
  const json = [["Content-Type", "application/json"]];
  const body = (text) => text.replaceAll("%CLICK%", clickId).replaceAll("%ORDER%", () => `order-${(orders += 1)}`);

  for (const [what, target, status, reason, parameter] of [
    ["an amount twice with different values", "amount=1&amount=2", 400, "invalid_parameter", "amount"],
    ["an amount and its alias with different values", "amount=1&purchase_value=2", 400, "invalid_parameter", "purchase_value"],
    ["two currencies", "currency=USD&currency=EUR", 400, "invalid_parameter", "currency"],
    ["an unknown currency", "currency=XXQ", 400, "invalid_parameter", "currency"],
    ["invalid UTF-8", "comment=%ff", 400, "invalid_parameter"],
    ["overlong UTF-8", "comment=%c0%af", 400, "invalid_parameter"],
    ["an encoded surrogate", "comment=%ed%a0%80", 400, "invalid_parameter"],
    ["another click_id", `transaction_id=${"B".repeat(48)}`, 400, "invalid_parameter", "transaction_id"],
    ["another campaign", "campaign_id=999999", 409, "campaign_mismatch", "campaign_id"],
    ["a campaign that is no number", "campaign_id=abc", 400, "invalid_parameter", "campaign_id"],
    ["a campaign beyond every number", `campaign_id=${"9".repeat(40)}`, 400, "invalid_parameter", "campaign_id"],
    ["a negative event", "event_id=-1", 400, "invalid_parameter", "event_id"],
  ]) {
    test(`${what}: ${status} ${reason}`, async () => {
      expectRefusal(await send("GET", query(target)), status, reason, parameter);
    });
  }

  for (const [what, target] of [
    ["the same amount twice", "amount=1&amount=1"],
    ["an amount and an equal alias", "amount=1&sale_amount=1"],
    ["unknown parameters", "foo=1&bar=2"],
    ["a parameter without a value", "amount=&comment="],
    ["a lone ampersand and equals signs", "&&=&=x&a"],
    ["a stray percent sign", "comment=100%"],
    ["SQL", "comment=';DROP%20TABLE%20conversions;--"],
    ["HTML", "comment=%3Cscript%3Ealert(1)%3C/script%3E"],
  ]) {
    test(`${what}: no refusal`, async () => {
      const answer = await send("GET", query(target));
      assert.equal(answer.status, 200, answer.body);
    });
  }

  for (const order of ["%00", "a%00b", "x".repeat(129), "%F0%9F%92%A9".repeat(33)]) {
    test(`the order_id ${show(order)} is invalid`, async () => {
      const answer = await send("GET", `/postback?click_id=${clickId}&order_id=${order}`);
      expectRefusal(answer, 400, "invalid_parameter", "order_id");
    });
  }

  for (const [what, headers, text, status, reason] of [
    ["a multipart body", [["Content-Type", "multipart/form-data; boundary=x"]], "--x--", 415, "unsupported_media_type"],
    ["JSON that ends early", json, '{"click_id":', 400, "invalid_parameter"],
    ["a JSON array", json, "[1,2]", 400, "invalid_parameter"],
    ["a JSON string", json, '"x"', 400, "invalid_parameter"],
    ["JSON null", json, "null", 400, "invalid_parameter"],
    ["two JSON values", json, "{} {}", 400, "invalid_parameter"],
    ["NaN in JSON", json, '{"click_id":"%CLICK%","order_id":"%ORDER%","amount":NaN}', 400, "invalid_parameter"],
    ["a repeated JSON key with other values", json, '{"click_id":"%CLICK%","order_id":"%ORDER%","amount":1,"amount":2}', 400, "invalid_parameter"],
    ["a lone surrogate in JSON", json, '{"click_id":"%CLICK%","order_id":"\\ud800"}', 400, "invalid_parameter"],
    ["an object as amount", json, '{"click_id":"%CLICK%","order_id":"%ORDER%","amount":{"value":1}}', 400, "invalid_parameter"],
    ["JSON that starts like none", [], '{"click_id"', 400, "invalid_parameter"],
    ["invalid UTF-8 in a form", form, "click_id=%CLICK%&order_id=%ORDER%&comment=%ff", 400, "invalid_parameter"],
    ["raw bytes that are no UTF-8", form, "click_id=%CLICK%&order_id=%ORDER%&comment=\xff\xfe", 400, "invalid_parameter"],
    ["raw bytes that are no UTF-8 in JSON", json, '{"click_id":"%CLICK%","comment":"\xff"}', 400, "invalid_parameter"],
  ]) {
    test(`${what}: ${status} ${reason}`, async () => {
      expectRefusal(await send("POST", "/postback", { headers, body: body(text) }), status, reason);
    });
  }

  test("a value twenty thousand levels deep is a text like any other, and not recursed into", async () => {
    const deep = (name) => `{"click_id":"%CLICK%","order_id":"%ORDER%","${name}":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
    const kept = await send("POST", "/postback", { headers: json, body: body(deep("custom1")) });
    assert.equal(kept.status, 200, kept.body);
    expectRefusal(await send("POST", "/postback", { headers: json, body: body(deep("amount")) }), 400, "invalid_parameter", "amount");
  });

  test("a body wins over the query, with a warning", async () => {
    orders += 1;
    const answer = await send("POST", `/postback?click_id=${clickId}&order_id=order-${orders}&comment=query`, {
      headers: form,
      body: "comment=body",
    });
    assert.equal(answer.status, 200, answer.body);
    assert.ok(JSON.parse(answer.body).warnings.some((warning) => warning.parameter === "comment"));
  });
});

describe("sizes", () => {
  const form = [["Content-Type", "application/x-www-form-urlencoded"]];

  test("a query over 16 KiB is too large", async () => {
    expectRefusal(await send("GET", query(`comment=${"x".repeat(16 * 1024)}`)), 413, "too_large");
  });

  test("a body of 64 KiB and one byte is too large, one of 64 KiB is not", async () => {
    for (const [size, isRefused] of [[65_537, true], [65_536, false], [1_000_000, true]]) {
      orders += 1;
      const start = `click_id=${clickId}&order_id=order-${orders}&comment=`;
      const answer = await send("POST", "/postback", { headers: form, body: start + "x".repeat(size - start.length) });
      if (isRefused) expectRefusal(answer, 413, "too_large");
      else assert.notEqual(answer.status, 413, answer.body);
    }
  });

  test("a large body without a length is too large as well", async () => {
    const chunk = Buffer.from(`4000\r\n${"x".repeat(0x4000)}\r\n`.repeat(5));
    const head = `POST /postback HTTP/1.1\r\nHost: ${shop.host}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
    const answer = await raw(worker.port, Buffer.concat([Buffer.from(head), chunk, Buffer.from("0\r\n\r\n")]));
    expectRefusal(answer, 413, "too_large");
  });

  test("10,000 parameters are refused", async () => {
    const many = Array.from({ length: 10_000 }, (_, i) => i.toString(36)).join("&");
    for (const [method, target, options] of [
      ["POST", "/postback", { headers: form, body: `click_id=${clickId}&${many}` }],
      ["GET", query(many), {}],
    ]) {
      const answer = await send(method, target, options);
      const { reason } = JSON.parse(answer.body);
      assert.ok(
        (answer.status === 413 && reason === "too_large") || (answer.status === 400 && reason === "invalid_parameter"),
        `${answer.status} ${reason}`,
      );
    }
  });
});

describe("addresses, methods and hosts", () => {
  for (const [method, target, status] of [
    ["PUT", "/postback", 405], ["DELETE", "/postback", 405], ["PATCH", "/postback", 405], ["OPTIONS", "/postback", 405],
    ["HEAD", "/postback", 405], ["POST", "/click", 405], ["PUT", "/", 405],
    ["POST", "/tracker.js", 405], ["GET", "/collect", 405], ["GET", "/", 404], ["GET", "/nothing", 404], ["GET", "/click/", 404],
    ["GET", "//click", 404], ["GET", "/CLICK", 404], ["GET", "/%2e%2e/click", 404], ["GET", "/postback%00", 404],
    ["GET", "/..%2f..%2fetc/passwd", 404], ["GET", "/.env", 404], ["GET", "/wp-login.php", 404],
  ]) {
    test(`${method} ${target} is ${status}`, async () => {
      const answer = await send(method, target);
      assert.ok(answer.status === status || (status === 404 && answer.status === 400), JSON.stringify(answer).slice(0, 300));
      if (status === 405) assert.match(answer.header("allow") ?? "", /GET|POST/);
      assert.equal(answer.header("location"), undefined);
    });
  }

  test("no POST and no API address ever redirects", async () => {
    const parameters = `campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}`;
    for (const target of [`/?${parameters}`, `/click?${parameters}`, `/postback?${parameters}`, "/api/v1/links/", "/api/v1", "/collect/"]) {
      const answer = await send("POST", target);
      assert.ok(answer.status >= 400 && answer.status < 500, `${target}: ${answer.status}`);
    }
  });

  test("looking at the headers of an address does not convert", async () => {
    for (const path of ["/postback", "/", "/pixel.gif"]) {
      await send("HEAD", `${path}?transaction_id=${clickId}&order_id=by-head`);
    }
    assert.deepEqual(await shop.all("conversions", { order_id: "by-head" }), []);
  });

  test("names of the namespace may be in capitals or end in a dot; what is no name finds nothing", async () => {
    const path = `/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}`;
    for (const host of [shop.host.toUpperCase(), "hostile-tracking.anything.example", "hostile-tracking.localhost.", "Hostile-Tracking.localhost:1"]) {
      const answer = await send("GET", path, { host });
      assert.equal(answer.status, 302, `${host}: ${answer.status}`);
    }
    for (const host of ["nobody-tracking.localhost", "-tracking.localhost", "--tracking.localhost", `${"a".repeat(60)}-tracking.localhost`]) {
      const answer = await send("GET", path, { host });
      assert.equal(answer.status, 404, `${host}: ${answer.status}`);
    }
  });

  test("in production an unmatched host is an unknown namespace", async () => {
    const production = await startWorker({ vars: { ENVIRONMENT: "production" } });
    try {
      for (const host of ["evil.example", "demo.localhost", "localhost", "127.0.0.1", "[::1]", "xn--tracking", "tracking", "a_b-tracking.example"]) {
        const answer = await raw(production.port, request("GET", `/postback?click_id=${clickId}`, { host }));
        expectRefusal(answer, 404, "unknown_namespace");
      }
      const demo = await raw(production.port, request("GET", "/demo-shop", { host: "demo-tracking.localhost" }));
      assert.equal(demo.status, 404, "what serves development is not in production");
    } finally {
      await production.stop();
    }
  });

  test("a request without a Host, or with a strange one, is not a 500", async () => {
    for (const host of [undefined, "", "a b", "a,b", "@", "\xff\xfe", "a".repeat(5_000), "[::1", "%00", "hostile-tracking.localhost:99999999"]) {
      const answer = await send("GET", `/postback?click_id=${clickId}`, { host });
      assert.ok(answer.closed || answer.status < 500, `${host}: ${answer.status}`);
    }
  });
});

describe("browsers' addresses", () => {
  test("the pixel is a picture whatever is sent, and its verdict stands in a header", async () => {
    for (const target of ["", "?", "?click_id=REPLACE", `?click_id=${clickId}&amount=NaN`, "?%ff", `?click_id=${"A".repeat(48)}`, "?a=%0d%0aX-Injected:1"]) {
      const answer = await send("GET", `/pixel.gif${target}`);
      assert.equal(answer.status, 200, target);
      assert.match(answer.header("content-type"), /^image\/gif/);
      assert.match(answer.header("x-backtrail-verdict"), /^rejected\b/);
      assert.equal(answer.header("x-injected"), undefined);
    }
  });

  test("/collect refuses what is too large or no event, and answers listed origins only", async () => {
    const origin = "https://shop.example";
    const { host } = await createNamespace(worker, "collector", { collect_origins: [origin] });
    const event = (text) => JSON.stringify({ event: "PageView", data: { text } });
    const fill = 8 * 1024 - event("").length;
    for (const [sender, body, status] of [
      [origin, event("x".repeat(fill)), 200],
      [origin, event("x".repeat(fill + 1)), 413],
      [origin, "", 400],
      [origin, "not json", 400],
      [origin, "[]", 400],
      [origin, '{"event":""}', 400],
      [origin, '{"event":1}', 400],
      [origin, '{"event":"PageView","data":[]}', 400],
      [origin, "\xff", 400],
      [origin, "[".repeat(5_000), 400],
      [`${origin}.evil.example`, event(""), 403],
      ["https://SHOP.example", event(""), 403],
      ["http://shop.example", event(""), 403],
      ["null", event(""), 403],
      [undefined, event(""), 403],
    ]) {
      const headers = [["Content-Type", "text/plain"], ...(sender === undefined ? [] : [["Origin", sender]])];
      const answer = await send("POST", "/collect", { host, headers, body });
      assert.equal(answer.status, status, `${sender} ${body.slice(0, 20)}: ${answer.body}`);
      assert.equal(answer.header("access-control-allow-origin"), status === 403 ? undefined : origin);
      assert.equal(answer.header("access-control-allow-credentials"), undefined);
      assert.match(answer.header("vary") ?? "", /Origin/i);
    }
  });
});

test("a thousand requests of random bytes and pieces get no 500", async () => {
  const random = seeded(42);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const pieces = [
    "/click?", "/postback?", "/?", "/pixel.gif?", "/collect?", "/api/v1/", "campaign_id=1", "&ref_id=1", "&click_id=", clickId, "&amount=",
    "%00", "%ff", "%", "&", "=", "#", "+", "{click_id}", "é", "\xff", "'", "\"", "<", "../", "[]", "&dl=https://", "&lp=", "&order_id=", "1e309",
  ];
  const requests = Array.from({ length: 1_000 }, () => {
    let target = pick(pieces.slice(0, 6));
    for (let i = Math.floor(random() * 12); i > 0; i--) target += pick(pieces);
    const body = random() < 0.3 ? Array.from({ length: 40 }, () => String.fromCharCode(Math.floor(random() * 256))).join("") : "";
    const headers = [[pick(["Cookie", "Referer", "User-Agent", "CF-Connecting-IP", "Content-Type", "Authorization", "Sec-Purpose"]),
      Array.from({ length: 12 }, () => String.fromCharCode(0x21 + Math.floor(random() * 0xde))).join("")]];
    return [pick(["GET", "GET", "POST", "HEAD", "PUT"]), target, { headers, body }];
  });
  await concurrently(16, requests, async ([method, target, options]) => {
    const answer = await send(method, target, options);
    assert.ok(answer.closed || answer.status < 500, `${method} ${JSON.stringify(target)} ${JSON.stringify(options)}: ${answer.status}`);
  });
});

/** A value as the Worker reads it, fit for the name of a test. */
function show(value) {
  return JSON.stringify(decodeURIComponent(value)).slice(0, 40);
}

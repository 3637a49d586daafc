// Who may post, and what (wire.md 7): what a request may do follows from how it proved itself.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createNamespace, TEN_PERCENT } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "permissions");
});
after(() => worker?.stop());

const from = (parameters, address, more = {}) =>
  shop.send({ path: shop.postbackPath(parameters), headers: { ...(address && { "cf-connecting-ip": address }), ...more } });

function expectReply(answer, status, reason = null) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.reason, reason);
  return answer.json;
}

describe("nothing proves the sender", () => {
  test("the conversion is at most pending, and the reply names neither money nor affiliate", async () => {
    const scene = await shop.campaign({ default_status: "approved" });
    const reply = await shop.postback({ click_id: await shop.clickId(scene), order_id: "1" });
    assert.equal(reply.status, "pending");
    assert.deepEqual([reply.revenue, reply.payout, reply.affiliate_id], [null, null, null]);
    const conversion = await shop.get(`conversions/${reply.conversion_id}`);
    assert.equal(conversion.affiliate_id, scene.affiliate.id);
    assert.deepEqual(conversion.payout, { amount: "5.00", currency: "USD" });
  });

  test("an amount counts only where the campaign trusts it", async () => {
    for (const [trusted, revenue] of [[true, "1.00"], [false, "0.00"]]) {
      const scene = await shop.campaign({ is_amount_trusted: trusted, ...(trusted ? TEN_PERCENT : { revenue_fixed: "0" }) });
      const reply = await shop.postback({ click_id: await shop.clickId(scene), order_id: "1", amount: "10.00" });
      const conversion = await shop.get(`conversions/${reply.conversion_id}`);
      assert.deepEqual(conversion.revenue, { amount: revenue, currency: "USD" });
      const isWarned = reply.warnings.some((warning) => warning.parameter === "amount");
      assert.equal(isWarned, !trusted, JSON.stringify(reply.warnings));
    }
  });

  test("a status is refused, and so is a dry run", async () => {
    const scene = await shop.campaign();
    const clickId = await shop.clickId(scene);
    for (const extra of [{ status: "approved" }, { status: "rejected" }, { dry_run: "1" }, { new_rejected_reason: "fraud" }]) {
      const answer = await shop.attempt({ click_id: clickId, order_id: "1", ...extra });
      assert.ok(answer.status >= 400 && answer.status < 500, `${JSON.stringify(extra)}: ${answer.text}`);
    }
    assert.deepEqual(await shop.all("conversions", { click_id: clickId }), []);
  });
});

describe("an allowed address", () => {
  test("is what CF-Connecting-IP says and nothing else", async () => {
    const scene = await shop.campaign({
      ip_allow: ["10.1.0.0/16", "2001:db8::/32"],
      ip_deny: ["10.1.2.3/32"],
      conversions_per_click: "per_order",
    });
    const clickId = await shop.clickId(scene);
    const order = (number) => ({ click_id: clickId, order_id: String(number) });
    for (const address of [undefined, "10.2.0.1", "10.1.2.3", "11.1.0.1", "2001:db9::1", "nonsense", "10.1.0.1, 10.2.0.1", ""]) {
      expectReply(await from(order(1), address), 403, "ip_not_allowed");
    }
    const forwarded = { "x-forwarded-for": "10.1.0.1", "x-real-ip": "10.1.0.1", forwarded: "for=10.1.0.1", "true-client-ip": "10.1.0.1" };
    expectReply(await from(order(1), "192.0.2.1", forwarded), 403, "ip_not_allowed");
    expectReply(await from(order(1), undefined, forwarded), 403, "ip_not_allowed");
    assert.deepEqual(await shop.all("conversions", { click_id: clickId }), []);
    let number = 1;
    for (const address of ["10.1.0.0", "10.1.255.255", "2001:db8::1", "2001:0DB8:0:0::ffff"]) {
      const reply = expectReply(await from(order((number += 1)), address), 200);
      assert.deepEqual(reply.payout, { amount: "5.00", currency: "USD" });
      assert.equal(reply.affiliate_id, scene.affiliate.id);
    }
  });
});

describe("a token", () => {
  test("of the namespace, the advertiser and the campaign works for the campaign, another's does not", async () => {
    const scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
    const other = await shop.campaign({ authentication: "token" });
    const clickId = await shop.clickId(scene);
    for (const [level, id] of [["namespace"], ["advertiser", scene.advertiser.id], ["campaign", scene.campaign.id]]) {
      const token = await shop.token(level, id);
      assert.match(token, /^btp_/);
      for (const name of ["token", "secure"]) {
        const reply = await shop.postback({ click_id: clickId, order_id: `${level}-${name}`, [name]: token });
        assert.equal(reply.status, "approved");
      }
    }
    for (const [level, id] of [["advertiser", other.advertiser.id], ["campaign", other.campaign.id]]) {
      const token = await shop.token(level, id);
      assert.equal((await shop.postback({ click_id: clickId, order_id: "x", token }, 401)).reason, "bad_token");
    }
    for (const token of ["wrong", "btp_", "x".repeat(5_000)]) {
      assert.equal((await shop.postback({ click_id: clickId, order_id: "x", token }, 401)).reason, "bad_token");
    }
    assert.equal((await shop.postback({ click_id: clickId, order_id: "x" }, 401)).reason, "bad_token");
  });

  test("comes before every answer that would tell a stranger what exists", async () => {
    const scene = await shop.campaign({ authentication: "token" });
    const clickId = await shop.clickId(scene);
    for (const parameters of [
      { click_id: clickId },
      { click_id: clickId, order_id: "1", amount: "1.00" },
      { campaign_id: scene.campaign.id, click_id: "A".repeat(48), order_id: "1" },
    ]) {
      const reply = await shop.postback(parameters, 401);
      assert.equal(reply.reason, "bad_token");
      assert.deepEqual([reply.conversion_id, reply.affiliate_id, reply.payout, reply.revenue], [null, null, null, null]);
    }
  });

  test("may try what a postback would do, without doing it", async () => {
    const scene = await shop.campaign({ authentication: "token" });
    const token = await shop.token("campaign", scene.campaign.id);
    const clickId = await shop.clickId(scene);
    const reply = await shop.postback({ click_id: clickId, order_id: "1", token, dry_run: "1" });
    assert.equal(reply.dry_run, true);
    assert.equal(reply.verdict, "recorded");
    assert.deepEqual(reply.payout, { amount: "5.00", currency: "USD" });
    assert.deepEqual(await shop.all("conversions", { click_id: clickId }), []);
    assert.equal((await shop.postback({ click_id: clickId, order_id: "1", token })).verdict, "recorded");
  });

  test("allows explicit money only where the campaign does", async () => {
    for (const [allowed, payout] of [[true, "42.00"], [false, "5.00"]]) {
      const scene = await shop.campaign({ authentication: "token", is_explicit_money_allowed: allowed });
      const token = await shop.token("campaign", scene.campaign.id);
      const reply = await shop.postback({ click_id: await shop.clickId(scene), order_id: "1", token, payout: "42.00" });
      assert.deepEqual(reply.payout, { amount: payout, currency: "USD" });
      assert.deepEqual(reply.warnings.map((warning) => warning.code), allowed ? [] : ["payout_not_allowed"]);
    }
  });
});

describe("replies", () => {
  test("come as JSON, as a line of text or as a picture, with the same status code", async () => {
    const scene = await shop.campaign({ conversions_per_click: "per_order" });
    const clickId = await shop.clickId(scene);
    const text = await shop.attempt({ click_id: clickId, order_id: "1", response: "text" });
    assert.equal(text.status, 200);
    assert.match(text.headers["content-type"], /^text\/plain/);
    assert.equal(text.text, "recorded\n");
    const refused = await shop.attempt({ click_id: clickId, response: "text" });
    assert.equal(refused.status, 400);
    assert.equal(refused.text, "rejected missing_parameter\n");
    const picture = await shop.attempt({ click_id: clickId, order_id: "1", response: "gif" });
    assert.equal(picture.status, 200);
    assert.match(picture.headers["content-type"], /^image\/gif/);
    assert.equal(picture.text.slice(0, 3), "GIF");
    const json = await shop.attempt({ click_id: clickId, order_id: "1" });
    assert.match(json.headers["content-type"], /^application\/json/);
    assert.equal(json.json.verdict, "duplicate");
  });

  test("are the same for a query, a form and JSON, on /postback and on /", async () => {
    const scene = await shop.campaign({ conversions_per_click: "per_order", is_amount_trusted: true });
    const clickId = await shop.clickId(scene);
    let number = 0;
    for (const path of ["/postback", "/"]) {
      for (const type of ["application/x-www-form-urlencoded", "application/json", "text/plain", undefined]) {
        for (const shape of ["form", "json"]) {
          if (type?.includes("form") && shape === "json") continue;
          if (type?.includes("json") && shape === "form") continue;
          number += 1;
          const fields = { transaction_id: clickId, order_id: `body-${number}`, amount: "10.50" };
          const body = shape === "json" ? JSON.stringify(fields) : String(new URLSearchParams(fields));
          const answer = await shop.send({ method: "POST", path, body, headers: type ? { "content-type": type } : {} });
          expectReply(answer, 200);
        }
      }
    }
    const root = await shop.send({ path: `/?transaction_id=${clickId}&order_id=by-root` });
    expectReply(root, 200);
    assert.equal((await shop.all("conversions", { click_id: clickId })).length, number + 1);
  });
});

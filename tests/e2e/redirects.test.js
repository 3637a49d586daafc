// A redirect goes where the campaign says, and nowhere else: no visitor's parameter chooses a host that is not listed,
// writes a header or leaves its place in the URL.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { raw, request } from "./support/raw.js";
import { CLICK_ID, createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop, scene;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "redirects");
  scene = await shop.campaign(
    { deep_link_hosts: ["shop.example", "*.shops.example"] },
    { landing: "https://shop.example/landing?s={sub1}&r={referer}&u={user_agent}" },
  );
});
after(() => worker?.stop());

const click = (rest, headers = []) =>
  raw(worker.port, request("GET", `/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}${rest}`, { host: shop.host, headers }));

/** A safe redirect: one Location, plain to every parser, and no header that the Worker does not send. */
function safe(answer) {
  assert.equal(answer.status, 302, JSON.stringify(answer).slice(0, 400));
  const locations = answer.headers.filter(([name]) => name === "location");
  assert.equal(locations.length, 1);
  const location = locations[0][1];
  assert.match(location, /^https:\/\/[a-z0-9.-]+\/[\x21-\x7e]*$/, location);
  assert.ok(!answer.headers.some(([name]) => name.startsWith("x-injected")));
  assert.equal(answer.headers.filter(([name]) => name === "set-cookie").length, 2);
  for (const [, cookie] of answer.headers.filter(([name]) => name === "set-cookie")) {
    assert.match(cookie, /^click_id(_[0-9]+)?=[A-Za-z0-9_-]{48}; Path=\/; Max-Age=[0-9]+; Secure; HttpOnly; SameSite=Lax$/);
  }
  return new URL(location);
}

describe("deep links", () => {
  for (const [link, expected] of [
    ["https://shop.example/shoes?size=42#top", "https://shop.example/shoes?size=42&click_id=ID#top"],
    ["https://shop.example", "https://shop.example/?click_id=ID"],
    ["https://SHOP.example/a", "https://shop.example/a?click_id=ID"],
    ["https://shop.example:443/a", "https://shop.example/a?click_id=ID"],
    ["https://de.shops.example/a", "https://de.shops.example/a?click_id=ID"],
    ["https://shop.example/{sub1}", "https://shop.example/%7Bsub1%7D?click_id=ID"],
  ]) {
    test(`${link} is followed`, async () => {
      const location = safe(await click(`&sub1=expanded&dl=${encodeURIComponent(link)}`));
      assert.match(location.searchParams.get("click_id"), CLICK_ID);
      const plain = location.href.replace(location.searchParams.get("click_id"), "ID");
      assert.ok([expected, expected.replaceAll("%7B", "{").replaceAll("%7D", "}")].includes(plain), plain);
    });
  }

  for (const link of [
    "https://evil.example/", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example", "\\/\\/evil.example",
    "\\\\evil.example", "https:evil.example", "https:/evil.example", "https:///evil.example", "https:\\\\evil.example",
    "http://shop.example/", "ftp://shop.example/", "javascript:alert(1)", "java%0d%0ascript:alert(1)", "java\tscript:alert(1)",
    "JaVaScRiPt://shop.example/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x", "file:///etc/passwd", "blob:https://shop.example/x",
    "https://user@shop.example/", "https://user:secret@shop.example/", "https://shop.example@evil.example/", "https://shop.example%40evil.example/",
    "https://shop.example:secret@evil.example/", "https://evil.example#@shop.example/", "https://evil.example?@shop.example/",
    "https://evil.example\\@shop.example/", "https://evil.example;@shop.example/", "https://shop.example.evil.example/", "https://evilshop.example/",
    "https://evil.example/shop.example", "https://shops.example/", "https://evilshops.example/", "https://shop.example:8443/", "https://shop.example:80/",
    "https://shop.example\u3002evil.example/", "https://evil\u3002example/", "https://shop.example\u2100.evil.example/", "https://shop.exam\u00adple.evil.example/",
    "https://shop.example%00.evil.example/", "https://shop.example\0.evil.example/", "https://shop.example%2eevil.example/", "https://shop.example%2f.evil.example/",
    "https://[::1]/", "https://127.0.0.1/", "https://2130706433/", " https://evil.example/", "\thttps://evil.example/", "\x01https://evil.example/",
    "https://shop.example\r\n.evil.example/", "https://", "https:", "https://.shop.example/", "https://shop..example/", "shop.example", "/path", "?a=b", "#",
    `https://evil.example/${"a".repeat(15_000)}`,
  ]) {
    test(`${JSON.stringify(link).slice(0, 60)} goes to the campaign's own page`, async () => {
      const location = safe(await click(`&dl=${encodeURIComponent(link)}`));
      assert.equal(location.origin + location.pathname, "https://shop.example/landing");
    });
  }

  test("a backslash or a control character inside an allowed link never leads elsewhere", async () => {
    for (const link of [
      "https://shop.example\\@evil.example/", "https://shop.example\\evil.example", "https://shop.example/\\evil.example",
      "https://shop.example/a\r\nX-Injected: 1", "https://shop.example/a\nb", "https://shop.example/\0", "https://shop.example/%0d%0aX-Injected:1",
      "https://shop.example./", "https://shop.example/\u00e9?\u00e9=\u00e9#\u00e9", "https://shop.example/?click_id=mine&click_id=yours",
    ]) {
      const location = safe(await click(`&dl=${encodeURIComponent(link)}`));
      assert.match(location.hostname, /^shop\.example\.?$/);
    }
  });

  test("given twice, the first one wins, under either name", async () => {
    const listed = encodeURIComponent("https://shop.example/listed");
    const evil = encodeURIComponent("https://evil.example/");
    for (const rest of [`&dl=${listed}&dl=${evil}`, `&dl=${listed}&redirect_url=${evil}`]) {
      assert.equal(safe(await click(rest)).pathname, "/listed");
    }
    for (const rest of [`&dl=${evil}&dl=${listed}`, `&redirect_url=${evil}&dl=${listed}`]) {
      assert.equal(safe(await click(rest)).hostname, "shop.example");
    }
  });
});

describe("what is reflected", () => {
  for (const value of [
    "x&payout=999#fragment", "a b+c", "\r\nX-Injected: 1", "\r\n\r\n<html>", "%0d%0aX-Injected: 1", "é\u{1F4A9}", "\"'<>`{}|\\^", "{click_id}", "../../", "?#&=", "\u2028\u2029",
  ]) {
    test(`${JSON.stringify(value)} stays one value`, async () => {
      const location = safe(await click(`&sub1=${encodeURIComponent(value)}`));
      const kept = location.searchParams.get("s");
      // What has control characters may be dropped instead.
      assert.ok(kept === value || (kept === "" && /[\0-\x1f]/.test(value)), JSON.stringify(kept));
      assert.equal(location.hash, "");
      assert.deepEqual([...location.searchParams.keys()], ["s", "r", "u", "click_id"]);
    });
  }

  test("invalid UTF-8 and NUL are dropped, not errors", async () => {
    for (const value of ["%ff", "%c0%af", "%00", "a%00b", "%ed%a0%80", "%", "%zz"]) safe(await click(`&sub1=${value}`));
  });

  test("strange headers are harmless", async () => {
    for (const [name, value] of [
      ["Referer", "https://evil.example/\xff\xfe"], ["Referer", "x".repeat(30_000)], ["User-Agent", "\xff".repeat(200)], ["User-Agent", "a&b#c d"],
      ["Cookie", "=;;;=x; click_id; click_id=\xff; click_id_1=short"], ["Cookie", Array.from({ length: 2_000 }, (_, i) => `click_id_${i}=${"A".repeat(48)}`).join("; ").slice(0, 60_000)],
      ["CF-Connecting-IP", "not an address"], ["X-Forwarded-Host", "evil.example"], ["X-Forwarded-Proto", "javascript"], ["Forwarded", "host=evil.example"],
      ["X-Original-URL", "/api/v1/keys"], ["Accept-Language", "\x80"],
    ]) {
      const answer = await click("", [[name, value]]);
      const cookies = answer.headers?.filter(([key]) => key === "set-cookie") ?? [];
      assert.equal(answer.status, 302, `${name}: ${JSON.stringify(answer).slice(0, 200)}`);
      assert.ok(cookies.length >= 2);
      const location = new URL(answer.header("location"));
      assert.equal(location.origin + location.pathname, "https://shop.example/landing");
      assert.deepEqual([...location.searchParams.keys()], ["s", "r", "u", "click_id"]);
    }
  });
});

describe("visitors see no errors", () => {
  for (const [what, rest] of [
    ["10,000 parameters", `&${Array.from({ length: 10_000 }, (_, i) => i.toString(36)).join("&")}`],
    ["a query of 16 KiB", `&x=${"y".repeat(16 * 1024)}`],
    ["sub-ids beyond their bound", `&sub1=${"z".repeat(5_000)}`],
    ["an unknown landing page", "&lp=999999"],
    ["a landing page that is no number", "&lp=abc"],
    ["a campaign given twice", "&campaign_id=2"],
    ["unreplaced placeholders", "&sub1={sub1}&source=REPLACE&external_click_id={{ID}}"],
    ["names of prototypes", "&__proto__=1&constructor=2&toString=3"],
  ]) {
    test(`${what}: a redirect to the campaign's own page`, async () => {
      const location = safe(await click(rest));
      assert.equal(location.origin + location.pathname, "https://shop.example/landing");
    });
  }

  for (const target of ["/click", "/click?", "/click?campaign_id=", "/click?campaign_id=abc", "/click?campaign_id=-1", `/click?campaign_id=${"9".repeat(40)}`, "/click?campaign_id=999999&ref_id=1", "/click?ref_id=0", "/click?ref_id=99999999999"]) {
    test(`${target.slice(0, 40)} has no destination: 404 and a small page`, async () => {
      const answer = await raw(worker.port, request("GET", target, { host: shop.host }));
      assert.equal(answer.status, 404, JSON.stringify(answer).slice(0, 300));
      assert.equal(answer.header("location"), undefined);
      assert.equal(answer.header("set-cookie"), undefined);
      assert.ok(answer.body.length < 4_000);
    });
  }

  test("HEAD answers with an id, and stores nothing", async () => {
    const rows = (id) => worker.query("SELECT 1 FROM clicks WHERE click_id = ?1", id);
    const answer = await raw(worker.port, request("HEAD", `/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}`, { host: shop.host }));
    assert.equal(answer.status, 302);
    const id = new URL(answer.header("location")).searchParams.get("click_id");
    assert.match(id, CLICK_ID);
    // Clicks are written behind the reply: a later one that is there shows that this one would be.
    const later = await shop.clickId(scene);
    await eventually("a later click is written", async () => (await rows(later)).length === 1);
    assert.deepEqual(await rows(id), []);
    const reply = await shop.postback({ click_id: id, order_id: "of-a-head" });
    assert.equal(reply.verdict, "recorded");
  });
});

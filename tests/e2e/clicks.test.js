// What a click says and what becomes of it: parameters and their aliases, the click_id, visits that are not counted, the
// window, and the rotation of keys.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { COUNTED, EMBEDDED, makeClickId, PREFETCH, readClickId, SUSPECTED_BOT } from "./support/click_id.js";
import { eventually } from "./support/eventually.js";
import { VISITOR } from "./support/http.js";
import { CLICK_ID, clickIdIn, createNamespace } from "./support/tracker.js";
import { CLICK_KEYS, startWorker } from "./support/worker.js";

const DAY = 86_400_000;

let worker, shop, scene;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "clicks");
  scene = await shop.campaign({ authentication: "token", conversions_per_click: "per_order" });
  scene.token = await shop.token("campaign", scene.campaign.id);
});
after(() => worker?.stop());

const parameters = (extra = {}) => ({ campaign_id: scene.campaign.id, ref_id: scene.link.id, ...extra });
const row = (clickId) =>
  eventually("the click is written", async () => (await worker.query("SELECT * FROM clicks WHERE click_id = ?1", clickId))[0]);
let orders = 0;
const convert = (clickId, expected) => shop.postback({ click_id: clickId, order_id: `o-${(orders += 1)}`, token: scene.token }, expected);

describe("parameters", () => {
  test("have aliases, and a default link of an affiliate", async () => {
    for (const query of [
      parameters(),
      { offer: scene.campaign.id, ref_id: scene.link.id },
      { offer_id: scene.campaign.id, publisher: scene.affiliate.id },
      { campaign_id: scene.campaign.id, affiliate_id: scene.affiliate.id },
      { campaign_id: scene.campaign.id, aff_id: scene.affiliate.id },
    ]) {
      const answer = await shop.click(query);
      assert.equal(readClickId(clickIdIn(answer.location)).link, scene.link.id);
    }
  });

  test("work at the root address as well", async () => {
    for (const query of [`offer=${scene.campaign.id}&ref_id=${scene.link.id}`, `campaign_id=${scene.campaign.id}&aff_id=${scene.affiliate.id}`]) {
      const answer = await shop.send({ path: `/?${query}` });
      assert.equal(answer.status, 302, answer.text);
      assert.match(clickIdIn(answer.location), CLICK_ID);
    }
  });

  test("are filled into the landing page's macros under every name, percent-encoded", async () => {
    const url = "https://shop.example/l?c={offer_id}&r={ref_id}&p={publisher}&a={aid}&s1={sub_id}&s2={sub2}&src={source}&x={external_transaction_id}&id={transaction_id}&t={unix_time}#f";
    const page = await shop.create("landing-pages", { campaign_id: scene.campaign.id, name: "Macros", url });
    const answer = await shop.click(parameters({ lp: page.id, sub_id: "a b", sub_id_2: "x&y=z", source: "mail", aff_click_id: "ext/1" }));
    const location = new URL(answer.location);
    const { t, id, ...rest } = Object.fromEntries(location.searchParams);
    assert.deepEqual(rest, {
      c: String(scene.campaign.id), r: String(scene.link.id), p: String(scene.affiliate.id), a: String(scene.advertiser.id),
      s1: "a b", s2: "x&y=z", src: "mail", x: "ext/1",
    });
    assert.match(id, CLICK_ID);
    assert.ok(Math.abs(Number(t) - Date.now() / 1000) < 60);
    assert.equal(location.hash, "#f");
    assert.equal(location.searchParams.get("click_id"), null, "a macro gave the click_id, so none is appended");
  });

  test("are kept with the click", async () => {
    const clickId = await shop.clickId(scene, { sub1: "summer", source: "mail", external_click_id: "ext-1", utm_campaign: "x", foo: "bar" }, {
      headers: { "user-agent": VISITOR, referer: "https://blog.example/post" },
    });
    const click = await row(clickId);
    assert.equal(click.ref_id, scene.link.id);
    assert.equal(click.campaign_id, scene.campaign.id);
    assert.equal(click.affiliate_id, scene.affiliate.id);
    assert.equal(click.source, "mail");
    assert.equal(click.external_click_id, "ext-1");
    assert.equal(click.uncounted, null);
    const kept = JSON.parse(click.parameters);
    assert.equal(kept.sub1, "summer");
    assert.equal(kept.utm_campaign, "x");
    assert.equal(kept.foo, "bar");
  });

  test("name the click_id as the campaign wants it", async () => {
    const other = await shop.campaign({ click_id_parameter: "bt" }, { landing: "https://shop.example/?x=1" });
    const answer = await shop.click({ campaign_id: other.campaign.id, ref_id: other.link.id });
    assert.match(answer.location, /^https:\/\/shop\.example\/\?x=1&bt=[A-Za-z0-9_-]{48}$/);
  });

  test("of a custom domain belong to its namespace", async () => {
    await shop.create("hosts", { hostname: "go.shop.example" });
    const answer = await shop.send({ host: "go.shop.example", path: `/click?${new URLSearchParams(parameters())}` });
    assert.equal(answer.status, 302, answer.text);
    assert.equal((await convert(clickIdIn(answer.location))).verdict, "recorded");
  });
});

describe("the click_id", () => {
  test("says what the contract says, and another implementation verifies it", async () => {
    const clickId = await shop.clickId(scene, {}, { headers: { "user-agent": VISITOR } });
    const said = readClickId(clickId);
    assert.equal(said.version, 1);
    assert.equal(said.keyNumber, 1);
    assert.equal(said.flags, COUNTED);
    assert.equal(said.link, scene.link.id);
    assert.ok(Math.abs(said.time - Date.now()) < 60_000);
    assert.equal(makeClickId(CLICK_KEYS, "clicks", said), clickId);
    const click = await row(clickId);
    assert.deepEqual([click.time, click.page, click.ordinal], [said.time, said.page, said.ordinal]);
  });

  test("of a click whose row never was is credited", async () => {
    const clickId = makeClickId(CLICK_KEYS, "clicks", { link: scene.link.id });
    const reply = await convert(clickId);
    assert.equal(reply.verdict, "recorded");
    assert.equal(reply.affiliate_id, scene.affiliate.id);
  });

  test("is refused when its click is older than the window, while a repeat is not", async () => {
    const { window_days: days } = await shop.get(`campaigns/${scene.campaign.id}`);
    const old = makeClickId(CLICK_KEYS, "clicks", { link: scene.link.id, time: Date.now() - days * DAY - 60_000 });
    assert.equal((await convert(old, 410)).reason, "expired_click");
    const young = makeClickId(CLICK_KEYS, "clicks", { link: scene.link.id, time: Date.now() - days * DAY + 60_000 });
    const order = { click_id: young, order_id: "in-time", token: scene.token };
    await shop.postback(order);
    await shop.patch(`campaigns/${scene.campaign.id}`, { window_days: 1 });
    assert.equal((await shop.postback(order)).verdict, "duplicate");
    assert.equal((await convert(young, 410)).reason, "expired_click");
    await shop.patch(`campaigns/${scene.campaign.id}`, { window_days: days });
  });

  test("does not verify for another namespace, link or key", async () => {
    const other = "1:another-secret-of-the-end-to-end-tests-0123456789";
    for (const forged of [
      makeClickId(CLICK_KEYS, "other", { link: scene.link.id }),
      makeClickId(other, "clicks", { link: scene.link.id }),
      makeClickId(CLICK_KEYS.replace("1:", "2:"), "clicks", { link: scene.link.id }),
    ]) {
      const reply = await shop.postback({ click_id: forged, campaign_id: scene.campaign.id, order_id: "forged", token: scene.token }, 404);
      assert.equal(reply.reason, "unknown_click");
    }
  });

  test("verifies after the keys were rotated, until its key is retired", async () => {
    const fresh = "2:the-next-secret-of-the-end-to-end-tests-0123456789";
    const rotating = await startWorker({ vars: { CLICK_KEYS: `${fresh},${CLICK_KEYS}` } });
    try {
      const shop = await createNamespace(rotating, "rotation");
      const scene = await shop.campaign({ conversions_per_click: "per_order" });
      const old = makeClickId(CLICK_KEYS, "rotation", { link: scene.link.id });
      assert.equal((await shop.postback({ click_id: old, order_id: "1" })).verdict, "recorded");
      const newer = await shop.clickId(scene);
      assert.equal(readClickId(newer).keyNumber, 2);
      rotating.vars = { CLICK_KEYS: fresh };
      await rotating.restart();
      assert.equal((await shop.postback({ click_id: newer, order_id: "2" })).verdict, "recorded");
      const unseen = makeClickId(CLICK_KEYS, "rotation", { link: scene.link.id, ordinal: 1 });
      const refused = await shop.postback({ click_id: unseen, campaign_id: scene.campaign.id, order_id: "3" }, 404);
      assert.equal(refused.reason, "unknown_click");
      // A recorded conversion is found by an id that no key verifies any more.
      const repeat = await shop.postback({ click_id: old, campaign_id: scene.campaign.id, order_id: "1" });
      assert.equal(repeat.verdict, "duplicate");
    } finally {
      await rotating.stop();
    }
  });
});

describe("visits that are not counted", () => {
  for (const [what, headers, flag] of [
    ["a prefetch", { "sec-purpose": "prefetch", "user-agent": VISITOR }, PREFETCH],
    ["a prerender", { "sec-purpose": "prefetch;prerender", "user-agent": VISITOR }, PREFETCH],
    ["an old prefetch", { purpose: "prefetch", "user-agent": VISITOR }, PREFETCH],
    ["an older prefetch", { "x-moz": "prefetch", "user-agent": VISITOR }, PREFETCH],
    ["a link preview", { "user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)" }, PREFETCH],
    ["a crawler", { "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)" }, SUSPECTED_BOT],
    ["a picture", { "sec-fetch-dest": "image", "user-agent": VISITOR }, EMBEDDED],
    ["a frame", { "sec-fetch-dest": "iframe", "user-agent": VISITOR }, EMBEDDED],
  ]) {
    const isHeld = flag !== PREFETCH;
    test(`${what} gets a normal redirect, is stored as not counted, and ${isHeld ? "its conversion is held" : "counts when it converts"}`, async () => {
      const clickId = await shop.clickId(scene, {}, { headers });
      const { flags } = readClickId(clickId);
      assert.equal(flags & flag, flag, `flags ${flags}`);
      const click = await row(clickId);
      if (flag !== EMBEDDED) {
        assert.equal(flags & COUNTED, 0);
        assert.equal(typeof click.uncounted, "string");
      }
      const reply = await convert(clickId);
      assert.equal(reply.status, isHeld ? "hold" : "approved");
      if (flag !== EMBEDDED) assert.ok(reply.warnings.some((warning) => warning.code === "click_was_uncounted"), JSON.stringify(reply.warnings));
    });
  }

  test("control: an ordinary visit is counted and its conversion approved", async () => {
    const clickId = await shop.clickId(scene, {}, { headers: { "user-agent": VISITOR, "sec-fetch-dest": "document" } });
    assert.equal(readClickId(clickId).flags, COUNTED);
    assert.equal((await row(clickId)).uncounted, null);
    assert.equal((await convert(clickId)).status, "approved");
  });

  test("under Global Privacy Control neither user agent nor referrer is kept", async () => {
    const clickId = await shop.clickId(scene, {}, { headers: { "sec-gpc": "1", "user-agent": VISITOR, referer: "https://blog.example/post" } });
    const click = await row(clickId);
    assert.deepEqual([click.user_agent, click.referrer], [null, null]);
  });

  test("without consent there is no id and no cookie, only a number", async () => {
    const counted = (await worker.query("SELECT coalesce(sum(clicks), 0) AS n FROM aggregate_clicks"))[0].n;
    for (const refused of [{ consent: "0" }, { cons: "0" }]) {
      const answer = await shop.click(parameters(refused));
      assert.equal(answer.location, "https://shop.example/landing");
      assert.deepEqual(answer.cookies, []);
    }
    await eventually("both are counted", async () => (await worker.query("SELECT sum(clicks) AS n FROM aggregate_clicks"))[0].n === counted + 2);
  });
});

describe("the pixel", () => {
  test("converts where the campaign allows it: by click_id, by cookie, at most pending", async () => {
    const other = await shop.campaign({ is_pixel_allowed: true, conversions_per_click: "per_order" });
    const clickId = await shop.clickId(other);
    const cookie = { headers: { cookie: `click_id=${clickId}` } };
    for (const [path, options] of [
      [`/pixel.gif?click_id=${clickId}&order_id=1`, {}],
      [`/pixel.gif?order_id=2&campaign_id=${other.campaign.id}`, cookie],
    ]) {
      const answer = await shop.send({ path, ...options });
      assert.equal(answer.status, 200);
      assert.match(answer.headers["content-type"], /^image\/gif/);
      assert.match(answer.headers["cache-control"], /no-store/);
      assert.equal(answer.headers["x-backtrail-verdict"], "recorded");
    }
    const found = await shop.all("conversions", { click_id: clickId });
    assert.deepEqual(found.map((conversion) => conversion.status), ["pending", "pending"]);
  });

  test("control: converts nothing where the campaign does not allow it", async () => {
    const other = await shop.campaign({ conversions_per_click: "per_order" });
    const clickId = await shop.clickId(other);
    const answer = await shop.send({ path: `/pixel.gif?click_id=${clickId}&order_id=1` });
    assert.equal(answer.status, 200);
    assert.match(answer.headers["x-backtrail-verdict"], /^rejected/);
    assert.deepEqual(await shop.all("conversions", { click_id: clickId }), []);
  });
});

// The whole loop over HTTP: click, cookie, landing page, postback, conversion; for two namespaces side by side that cannot
// see each other.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { Browser } from "./support/http.js";
import { CLICK_ID, clickIdIn, createNamespace, REPLY_KEYS, TEN_PERCENT } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, acme, zenith;
before(async () => {
  worker = await startWorker();
  acme = await furnished("acme");
  zenith = await furnished("zenith");
});
after(() => worker?.stop());

/** A namespace with a campaign that asks for a token. */
async function furnished(name) {
  const shop = await createNamespace(worker, name);
  const scene = await shop.campaign({ ...TEN_PERCENT, authentication: "token" }, { landing: `https://${name}.example/landing?ref={ref_id}#top` });
  const token = await shop.token("campaign", scene.campaign.id);
  return { shop, scene, token };
}

describe("one loop", () => {
  for (const name of ["acme", "zenith"]) {
    test(`${name}: a click becomes a cookie, a landing page, a postback and a conversion`, async () => {
      const { shop, scene, token } = name === "acme" ? acme : zenith;
      const browser = new Browser(worker.client);
      const address = `http://${shop.host}/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}&sub1=summer`;

      const redirect = await browser.open(address);

      assert.equal(redirect.status, 302);
      assert.equal(redirect.headers["cache-control"], "no-store");
      const clickId = clickIdIn(redirect.location);
      assert.match(clickId, CLICK_ID);
      assert.equal(redirect.location, `https://${name}.example/landing?ref=${scene.link.id}&click_id=${clickId}#top`);
      assert.equal(await browser.cookie(address, "click_id"), clickId);
      assert.equal(await browser.cookie(address, `click_id_${scene.campaign.id}`), clickId);

      const reply = await shop.postback({ click_id: clickId, order_id: "A-1", amount: "99.95", token });

      assert.deepEqual(Object.keys(reply).sort(), REPLY_KEYS.toSorted());
      const { conversion_id: conversionId, request_id: requestId, ...rest } = reply;
      assert.deepEqual(rest, {
        verdict: "recorded",
        reason: null,
        click_id: clickId,
        campaign_id: scene.campaign.id,
        affiliate_id: scene.affiliate.id,
        event: null,
        status: "approved",
        // 9.995 rounded half away from zero.
        revenue: { amount: "10.00", currency: "USD" },
        payout: { amount: "5.00", currency: "USD" },
        warnings: [],
      });
      assert.equal(typeof conversionId, "string");
      assert.equal(typeof requestId, "string");

      const [conversion, ...others] = await shop.all("conversions");
      assert.deepEqual(others, []);
      assert.equal(conversion.conversion_id, conversionId);
      assert.equal(conversion.click_id, clickId);
      assert.equal(conversion.order_id, "A-1");
      assert.equal(conversion.status, "approved");
      assert.deepEqual((await shop.get(`conversions/${conversionId}`)).conversion_id, conversionId);
      const click = await eventually("the click is written", async () => {
        const answer = await shop.api("GET", `clicks/${clickId}`);
        return answer.status === 200 && answer.json;
      });
      assert.equal(click.click_id, clickId);
      assert.equal(click.ref_id, scene.link.id);
    });
  }
});

describe("cookies", () => {
  test("carry exactly the attributes of the contract, over http and in development as well", async () => {
    const { shop, scene } = acme;
    const answer = await shop.click({ campaign_id: scene.campaign.id, ref_id: scene.link.id });
    const clickId = clickIdIn(answer.location);
    const attributes = "Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax";
    assert.deepEqual(answer.cookies.toSorted(), [
      `click_id=${clickId}; ${attributes}`,
      `click_id_${scene.campaign.id}=${clickId}; ${attributes}`,
    ]);
  });

  test("are SameSite=None where the namespace has pixels switched on, and live as long as the campaign's window", async () => {
    const shop = await createNamespace(worker, "pixels", { is_pixels_enabled: true });
    const scene = await shop.campaign({ window_days: 400 });
    const answer = await shop.click({ campaign_id: scene.campaign.id, ref_id: scene.link.id });
    assert.equal(answer.cookies.length, 2);
    for (const cookie of answer.cookies) {
      assert.match(cookie, /^click_id(_1)?=[A-Za-z0-9_-]{48}; Path=\/; Max-Age=34560000; Secure; HttpOnly; SameSite=None$/);
    }
  });

  test("are not set for images, frames, refused consent or Global Privacy Control, while the redirect stays", async () => {
    const { shop, scene } = acme;
    const parameters = { campaign_id: scene.campaign.id, ref_id: scene.link.id };
    for (const headers of [{ "sec-fetch-dest": "image" }, { "sec-fetch-dest": "iframe" }, { "sec-gpc": "1" }]) {
      const answer = await shop.click(parameters, { headers });
      assert.deepEqual(answer.cookies, [], JSON.stringify(headers));
      assert.match(clickIdIn(answer.location), CLICK_ID);
    }
    const refused = await shop.click({ ...parameters, consent: "0" });
    assert.deepEqual(refused.cookies, []);
    assert.equal(clickIdIn(refused.location), null);
  });

  test("of campaigns are at most twenty: the oldest one goes", async () => {
    const shop = await createNamespace(worker, "many");
    const browser = new Browser(worker.client);
    const home = `http://${shop.host}/`;
    const campaigns = [];
    for (let i = 0; i < 21; i++) campaigns.push(await shop.campaign());
    for (const { campaign, link } of campaigns) {
      const started = Date.now();
      await browser.open(`${home}click?campaign_id=${campaign.id}&ref_id=${link.id}`);
      // Two clicks of one millisecond have no older one.
      await eventually("the next millisecond", () => Date.now() > started, { every: 1 });
    }
    const names = (await browser.jar.getCookies(home)).map((cookie) => cookie.key);
    assert.ok(names.includes("click_id"));
    const ofCampaigns = names.filter((name) => name.startsWith("click_id_"));
    assert.deepEqual(ofCampaigns.length, 20);
    assert.ok(!ofCampaigns.includes(`click_id_${campaigns[0].campaign.id}`));
  });
});

describe("two namespaces", () => {
  test("a click_id of one is an unknown click to the other, with every token", async () => {
    const clickId = await acme.shop.clickId(acme.scene);
    for (const token of [zenith.token, await zenith.shop.token("namespace")]) {
      const reply = await zenith.shop.postback({ click_id: clickId, order_id: "stolen", token }, 404);
      assert.equal(reply.verdict, "rejected");
      assert.equal(reply.reason, "unknown_click");
    }
    const stranger = await zenith.shop.postback({ click_id: clickId, order_id: "stolen", token: acme.token }, 401);
    assert.equal(stranger.reason, "bad_token");
    assert.deepEqual(await zenith.shop.all("conversions", { order_id: "stolen" }), []);
    // Control: at home the same click_id converts.
    await acme.shop.postback({ click_id: clickId, order_id: "earned", amount: "1.00", token: acme.token });
  });

  test("their lists are disjoint", async () => {
    for (const resource of ["conversions", "inbox", "campaigns", "links", "affiliates"]) {
      const mine = JSON.stringify(await acme.shop.all(resource));
      const theirs = JSON.stringify(await zenith.shop.all(resource));
      assert.ok(!theirs.includes("acme"), resource);
      assert.ok(!mine.includes("zenith"), resource);
    }
    const ids = (await acme.shop.all("conversions")).map((conversion) => conversion.conversion_id);
    for (const conversion of await zenith.shop.all("conversions")) assert.ok(!ids.includes(conversion.conversion_id));
  });

  test("another namespace's id is the same 404 as one that does not exist", async () => {
    // The ids count from 1 in each namespace, so one that only acme has is needed.
    const extra = await acme.shop.campaign();
    const [conversion] = await acme.shop.all("conversions");
    const [{ request_id: inboxId, id }] = await acme.shop.all("inbox");
    const clickId = await acme.shop.clickId(acme.scene);
    for (const [theirs, nobodys] of [
      [`campaigns/${extra.campaign.id}`, "campaigns/999999"],
      [`links/${extra.link.id}`, "links/999999"],
      [`affiliates/${extra.affiliate.id}`, "affiliates/999999"],
      [`landing-pages/${extra.landingPage.id}`, "landing-pages/999999"],
      [`advertisers/${extra.advertiser.id}`, "advertisers/999999"],
      [`conversions/${conversion.conversion_id}`, `conversions/${conversion.conversion_id.slice(0, -2)}zz`],
      [`clicks/${clickId}`, `clicks/${"A".repeat(48)}`],
      [`inbox/${inboxId ?? id}`, "inbox/0"],
    ]) {
      const first = await zenith.shop.api("GET", theirs, { expect: 404 });
      const second = await zenith.shop.api("GET", nobodys, { expect: 404 });
      assert.deepEqual(problem(first), problem(second), theirs);
    }
    for (const path of [`campaigns/${extra.campaign.id}`, `links/${extra.link.id}`, `affiliates/${extra.affiliate.id}`]) {
      await zenith.shop.patch(path, { name: "Mine now" }, 404);
    }
    assert.equal((await acme.shop.get(`campaigns/${extra.campaign.id}`)).name, "Campaign");
  });

  test("a key of one is a stranger on the other's host", async () => {
    await zenith.shop.as(acme.shop.key).get("campaigns", 404);
  });

  test("a link of another campaign is an unknown link", async () => {
    const other = await acme.shop.campaign();
    const answer = await acme.shop.click({ campaign_id: other.campaign.id, ref_id: acme.scene.link.id }, { expect: 404 });
    assert.deepEqual(answer.cookies, []);
  });
});

/** A problem without what names the request. */
function problem(answer) {
  const { instance, request_id: requestId, detail, ...rest } = answer.json;
  return rest;
}

// Visitors of the site script in a real browser: their cookie, their touches, and who is told whose click it was.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launch, visit } from "./support/chromium.js";
import { eventually } from "./support/eventually.js";
import { startReceiver } from "./support/receiver.js";
import { listen, startSite } from "./support/site.js";
import { createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, browser, receiver, site, shop, scene;
before(async () => {
  receiver = await startReceiver();
  worker = await startWorker();
  browser = await launch();
  site = await startSite(() => shop.host);
  shop = await createNamespace(worker, "visitors", { collect_origins: [site.origin] });
  scene = await shop.campaign({ conversions_per_click: "per_order" }, { landing: `${site.origin}/landing` });
});
after(async () => {
  await browser?.close();
  await worker?.stop();
  await receiver?.stop();
  site?.stop();
});

const touches = () => worker.query("SELECT visitor, parameter, value, sources FROM touches WHERE namespace = 'visitors' ORDER BY at, parameter");
const forget = () => worker.query("DELETE FROM touches WHERE namespace = 'visitors'");
const cookie = async (context, name = "bt_visitor") => (await context.cookies(site.origin)).find((one) => one.name === name);

test("a landing page's click ids are kept under a cookie of the shop's own, once", async () => {
  await forget();
  const { context, page, troubles } = await visit(browser);
  const reports = listen(page);
  await page.goto(`${site.origin}/landing?gclid=G1&foo=F&utm_source=mail#part`);
  await eventually("the touch is kept", async () => (await touches()).length === 1);
  const { value, domain, path, secure, httpOnly, sameSite, expires } = await cookie(context);
  assert.match(value, /^[0-9a-f]{32}$/);
  assert.deepEqual({ domain, path, secure, httpOnly, sameSite }, { domain: ".shop.localhost", path: "/", secure: true, httpOnly: false, sameSite: "Lax" });
  assert.ok(expires - Date.now() / 1000 <= 400 * 86_400);
  assert.deepEqual(await touches(), [{ visitor: value, parameter: "gclid", value: "G1", sources: "{}" }]);
  await eventually("the answer is there", () => reports.length === 1);
  // Another page of the site, and the same one anew, are no arrivals.
  await page.evaluate("location.href = '/other?gclid=G2'");
  await page.waitForURL("**/other*");
  await page.waitForFunction("window.backtrail && backtrail.clickId");
  await page.reload();
  await page.waitForFunction("window.backtrail && backtrail.clickId");
  await page.evaluate("backtrail('track', 'PageView')");
  await eventually("the event is told", () => reports.length === 2);
  assert.equal(reports[1].body.arrival, undefined);
  assert.equal(reports[1].body.visitor, value);
  assert.equal((await touches()).length, 1);
  assert.deepEqual(troubles, []);
  await context.close();
});

test("an arrival that could not be told is told with the next event", async () => {
  await forget();
  const { context, page } = await visit(browser);
  await page.route("**/collect", (route) => route.abort(), { times: 1 });
  const reports = listen(page);
  await page.goto(`${site.origin}/landing?gclid=G1`);
  await page.waitForFunction("window.backtrail && backtrail.clickId");
  await eventually("it is aborted", () => page.evaluate("!!sessionStorage.bt_arrival"));
  await page.goto(`${site.origin}/other`);
  await page.evaluate("backtrail('track', 'PageView')");
  await eventually("the touch is kept", async () => (await touches()).length === 1);
  await eventually("it is forgotten", () => page.evaluate("!sessionStorage.bt_arrival"));
  // Answers reach the test behind the touch that they tell of.
  await eventually("it was told as one of before", () => reports.some(({ body }) => body.arrival?.endsWith("gclid=G1") && body.arrived_ago > 0));
  await context.close();
});

test("another visit renews the cookie, which keeps its name", async () => {
  const { context, page } = await visit(browser);
  await page.goto(`${site.origin}/landing`);
  const { value, domain } = await eventually("the cookie is there", () => cookie(context));
  const soon = Math.floor(Date.now() / 1000) + 86_400;
  await context.addCookies([{ name: "bt_visitor", value, domain, path: "/", expires: soon, secure: true, sameSite: "Lax" }]);
  assert.equal((await cookie(context)).expires, soon);
  await page.goto(`${site.origin}/other`);
  const renewed = await eventually("it is renewed", async () => {
    const found = await cookie(context);
    return found.expires > soon + 300 * 86_400 && found;
  });
  assert.deepEqual([renewed.value, renewed.domain], [value, ".shop.localhost"]);
  // Nothing is left of how the domain was found.
  assert.deepEqual((await context.cookies(site.origin)).map((one) => one.name), ["bt_visitor"]);
  await context.close();
});

for (const [what, query, isKept] of [
  ["with one long parameter is told without it", `gclid=G1&long=${"x".repeat(7_000)}&foo=1`, true],
  ["with too many is not told", `gclid=G1${"&a=123456789".repeat(600)}`, false],
]) {
  test(`an address ${what}, and what happens on the page is`, async () => {
    await forget();
    const { context, page } = await visit(browser);
    const reports = listen(page);
    await page.goto(`${site.origin}/landing?${query}&bt_test=1`);
    await page.evaluate("backtrail('track', 'PageView')");
    const told = await eventually("the event is told", () => reports.find(({ body }) => body.event === "PageView"));
    assert.equal(told.status, 200);
    assert.equal(new URL(told.body.page).search, "?bt_test=1");
    assert.ok(await page.evaluate("!sessionStorage.bt_arrival"));
    assert.deepEqual((await touches()).map((one) => one.value), isKept ? ["G1"] : []);
    await context.close();
  });
}

describe("who does not want to be known", () => {
  const nothing = async (context, page, reports) => {
    await page.evaluate("backtrail('track', 'Purchase', { value: 5 })");
    await eventually("the event is told", () => reports.some((one) => one.body.event === "Purchase"));
    const { body } = reports.find((one) => one.body.event === "Purchase");
    assert.deepEqual(Object.keys(body).sort(), ["data", "event", "page"]);
    assert.ok(!body.page.includes("?"), body.page);
    assert.equal(await cookie(context), undefined);
    assert.equal(await cookie(context, "click_id"), undefined);
    assert.deepEqual(await touches(), []);
    assert.equal(await page.evaluate("Object.keys(sessionStorage).length"), 0);
  };
  const clickAddress = () => `http://${shop.host}/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}&gclid=G`;

  test("a browser with Global Privacy Control leaves no cookie, no touch and no id", async () => {
    await forget();
    const { context, page } = await visit(browser, { extraHTTPHeaders: { "Sec-GPC": "1" } });
    await context.addInitScript("Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })");
    const reports = listen(page);
    await page.goto(clickAddress());
    await page.evaluate("backtrail('set', 'ContactInfo', { email: 'jane@example.com' }); backtrail('consent', { tracking: true })");
    await nothing(context, page, reports);
    await context.close();
  });

  test("a page that was refused consent before the script had loaded leaves nothing either", async () => {
    await forget();
    const { context, page } = await visit(browser);
    const reports = listen(page);
    await page.addInitScript(`window.backtrail = function () { (backtrail.q = backtrail.q || []).push(arguments) };
      backtrail("consent", { tracking: false })`);
    await page.goto(clickAddress());
    await nothing(context, page, reports);
    // Consent that comes later counts from then on.
    await page.evaluate("backtrail('consent', { tracking: true })");
    await eventually("the touch is kept", async () => (await touches()).length > 0);
    assert.match((await cookie(context)).value, /^[0-9a-f]{32}$/);
    // And what is taken back goes.
    await page.evaluate("backtrail('consent', { tracking: false })");
    assert.equal(await cookie(context), undefined);
    assert.equal(await cookie(context, "click_id"), undefined);
    await context.close();
  });

  for (const attributes of ["data-consent", 'data-consent=""', 'data-consent="required"']) {
    test(`with ${attributes} nothing is kept until there is a word`, async (t) => {
      await forget();
      const other = await startSite(() => shop.host, { attributes });
      t.after(() => other.stop());
      await shop.patch("namespaces/visitors", { collect_origins: [site.origin, other.origin] });
      const { context, page } = await visit(browser);
      await page.goto(`${other.origin}/?gclid=G`);
      await page.waitForFunction("window.backtrail && backtrail.clickId");
      assert.deepEqual(await context.cookies(other.origin), []);
      await page.evaluate("backtrail('consent', { tracking: true })");
      await eventually("the cookie is there", async () => (await context.cookies(other.origin)).some((one) => one.name === "bt_visitor"));
      await context.close();
    });
  }
});

test("of two platforms the last is told, or any, each its own click id", async () => {
  await forget();
  const connect = (name, parameter, model, more = {}) =>
    shop.create("connectors", {
      name, mode: "enabled", events: ["Purchase"], is_webhook_on: true,
      webhook: { method: "GET", url: `${receiver.origin}/${name}`, parameters: [{ name: "id", value: "{{CLICK_ID}}" }, { name: "email", value: "{{EMAIL}}" }] },
      matching: { parameter, model, window_days: 14, ...more },
    });
  await connect("x-last", "click_id", "last", { source_parameter: "utm_source", source_value: "platform_x" });
  await connect("x-any", "click_id", "any", { source_parameter: "utm_source", source_value: "platform_x" });
  await connect("y-last", "sub", "last");
  const { context, page, troubles } = await visit(browser);
  const reports = listen(page);
  await page.goto(`${site.origin}/landing?click_id=12345&utm_source=platform_x`);
  await eventually("X's touch is kept", async () => {
    // Until the isolate knows what connectors ask for, which is 30 seconds at most, it keeps nothing of theirs.
    if ((await touches()).some((one) => one.value === "12345")) return true;
    await page.evaluate("sessionStorage.clear()");
    await page.goto(`${site.origin}/landing?click_id=12345&utm_source=platform_x`);
    await page.waitForFunction("window.backtrail && backtrail.clickId");
    return false;
  }, { within: 60_000, every: 500 });
  await page.goto(`${site.origin}/landing?sub=Y1`);
  await eventually("Y's touch is kept", async () => (await touches()).some((one) => one.value === "Y1"));
  await page.evaluate("backtrail('set', 'ContactInfo', { email: 'jane@example.com' }); backtrail('track', 'Purchase', { value: 15 })");
  await eventually("the event is told", () => reports.some((one) => one.body.event === "Purchase"));
  await eventually("both are told", async () => {
    await worker.tick();
    return receiver.at("/x-any").length === 1 && receiver.at("/y-last").length === 1;
  });
  assert.deepEqual([receiver.at("/x-any")[0].url, receiver.at("/y-last")[0].url], ["/x-any?id=12345&email=jane@example.com", "/y-last?id=Y1&email=jane@example.com"]);
  assert.equal(receiver.at("/x-last").length, 0);
  const states = await worker.query("SELECT state FROM deliveries WHERE namespace = 'visitors' ORDER BY connector_id");
  assert.deepEqual(states.map((row) => row.state), ["no_click_match", "delivered", "delivered"]);
  assert.deepEqual(troubles, []);
  await context.close();
});

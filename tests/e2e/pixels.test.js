// Pixels in a real browser: where they run, which of them run at all, and what a hostile value can do.

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
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
});
after(async () => {
  await browser?.close();
  await worker?.stop();
  await receiver?.stop();
  site?.stop();
});
let spaces = 0;
beforeEach(async () => {
  receiver.got.length = 0;
  shop = await createNamespace(worker, `pixels${++spaces}`, { collect_origins: [site.origin] });
  // Amounts that are not trusted are told to nobody.
  scene = await shop.campaign({ is_amount_trusted: true }, { landing: `${site.origin}/landing` });
});

/** Tells the receiver what the pixel can read. */
const spy = (path) => `<script>
  let seen;
  try { seen = document.cookie || "nothing"; } catch (error) { seen = error.name; }
  try { seen += "|" + parent.document.title; } catch (error) { seen += "|" + error.name; }
  new Image().src = "${receiver.origin}${path}?value={{VALUE}}&seen=" + encodeURIComponent(seen);
</script>`;

async function connect(code, { is_sandboxed = true, isApproved = true, ...more } = {}) {
  const connector = await shop.create("connectors", {
    name: "Pixel", mode: "enabled", events: ["Purchase"], pixel: { code, is_sandboxed }, is_pixel_on: true, ...more,
  });
  if (isApproved) await approve(connector);
  return connector;
}
const approve = ({ id }) => shop.api("POST", `connectors/${id}/approve`, { expect: 200 });

/** A visitor on the shop's page, whose script has loaded; a secret of the page's stands in a cookie. */
async function arrive(path = "/landing") {
  const { context, page, troubles } = await visit(browser);
  const reports = listen(page);
  await page.goto(site.origin + path);
  await page.waitForFunction("window.backtrail && backtrail.clickId");
  await page.evaluate("document.cookie = 'secret=of-the-page'");
  return { context, page, troubles, reports };
}

/** Tells of an event and awaits its answer. */
async function track({ page, reports }, name, data = {}) {
  const before = reports.filter((one) => one.body.event === name).length;
  await page.evaluate(([name, data]) => window.backtrail("track", name, data), [name, data]);
  const all = () => reports.filter((one) => one.body.event === name);
  return eventually(`${name} is answered`, () => all().length > before && all().at(-1).answer && all().at(-1));
}
const seenBy = (request) => new URL(request.url, "http://a").searchParams.get("seen");
const fired = (path) => eventually(`${path} fires`, () => receiver.at(path)[0]);

test("a sandboxed pixel cannot read the page's cookie or document, the one in the page can", async () => {
  await connect(spy("/sandboxed"));
  await connect(spy("/page"), { is_sandboxed: false });
  const visitor = await arrive();
  await track(visitor, "Purchase", { value: 15 });
  const [sandboxed, page] = [await fired("/sandboxed"), await fired("/page")];
  assert.equal(seenBy(sandboxed), "SecurityError|SecurityError");
  assert.ok(seenBy(page).includes("secret=of-the-page") && seenBy(page).endsWith("|Shop"), seenBy(page));
  assert.ok(page.url.includes("value=15"), page.url);
  // Once: another event that triggers nothing brings nothing.
  await track(visitor, "PageView");
  assert.deepEqual([receiver.at("/sandboxed").length, receiver.at("/page").length], [1, 1]);
  assert.deepEqual(visitor.troubles, []);
  await visitor.context.close();
});

test("JavaScript alone runs as well", async () => {
  await connect(`new Image().src = "${receiver.origin}/script?value={{VALUE}}";`);
  const visitor = await arrive();
  await track(visitor, "Purchase", { value: 15 });
  assert.ok((await fired("/script")).url.endsWith("value=15"));
  await visitor.context.close();
});

test("a pixel that nobody approved does not fire, nor does one that was changed since", async () => {
  const connector = await connect(spy("/pixel"), { isApproved: false });
  const visitor = await arrive();
  const tracks = async () => (await track(visitor, "Purchase", { value: 1 })).answer.pixels.length;
  assert.equal(await tracks(), 0);
  await approve(connector);
  assert.equal(await tracks(), 1, "the control");
  await fired("/pixel");
  await shop.patch(`connectors/${connector.id}`, { pixel: { is_sandboxed: false } });
  assert.equal(await tracks(), 0);
  await approve(connector);
  assert.equal(await tracks(), 1);
  await eventually("both fire", () => receiver.at("/pixel").length === 2);
  await visitor.context.close();
});

test("what a server reports waits for the visitor's next call, and no other visitor gets it", async () => {
  await connect(spy("/waited"));
  const clickId = await shop.clickId(scene);
  const visitor = await arrive(`/landing?click_id=${clickId}`);
  await eventually("the arrival is told", () => visitor.reports.length === 1);
  const stranger = await arrive(`/landing?click_id=${clickId}`);
  await eventually("the other arrival is told", () => stranger.reports.length === 1);
  await shop.postback({ click_id: clickId, order_id: "A", amount: "12.50" });
  assert.equal((await track(stranger, "PageView")).answer.pixels.length, 0);
  assert.deepEqual(receiver.got, []);
  await visitor.page.goto(`${site.origin}/thanks`);
  assert.equal((await track(visitor, "PageView")).answer.pixels.length, 1);
  assert.ok((await fired("/waited")).url.includes("value=12.50"));
  assert.equal((await track(visitor, "PageView")).answer.pixels.length, 0);
  await visitor.context.close();
  await stranger.context.close();
});

test("a hostile value is a value wherever it stands", async () => {
  const evil = `${receiver.origin}/evil`;
  const values = [
    `</script><script>new Image().src="${evil}?a"</script>`,
    `"; new Image().src="${evil}?b"; //`,
    `'; new Image().src='${evil}?c'; //`,
    `"><img src=x onerror='new Image().src="${evil}?d"'>`,
    `\\"; new Image().src="${evil}?e"; //`,
    "`${new Image().src='" + evil + "?f'}`",
    `\u2028new Image().src="${evil}?g"//`,
    `javascript:new Image().src="${evil}?h"`,
    `<!--<script>`,
    `--></script><svg onload='new Image().src="${evil}?i"'>`,
  ];
  const code = `<p id="p" title="{{NOTE}}">{{NOTE}}</p><a id="a" href="${receiver.origin}/link?x={{NOTE}}">x</a>
    <script>window.notes = (window.notes || []).concat("{{NOTE}}"); window.other = '{{NOTE}}';
    new Image().src = "${receiver.origin}/harmless?note={{NOTE}}";</script>`;
  await connect(code, { is_sandboxed: false });
  await connect(code.replace("/harmless", "/harmless-in-frame"));
  const visitor = await arrive();
  for (const note of values) {
    await track(visitor, "Purchase", { note });
    await eventually("the text is there", () => visitor.page.evaluate((note) => [...document.querySelectorAll("#p")].at(-1)?.textContent === note, note));
    assert.equal(await visitor.page.evaluate(() => [...document.querySelectorAll("#p")].at(-1).title), note);
    assert.equal(await visitor.page.evaluate("notes.at(-1)"), note);
    assert.equal(await visitor.page.evaluate("window.other"), note);
  }
  await eventually("all have fired", () => ["/harmless", "/harmless-in-frame"].every((path) => receiver.at(path).length === values.length));
  const notes = receiver.at("/harmless").map((one) => new URL(one.url, "http://a").searchParams.get("note"));
  assert.deepEqual(notes.sort(), [...values].sort());
  assert.deepEqual(receiver.at("/evil"), []);
  // The control: what the code itself says is run.
  await visitor.page.evaluate((evil) => (new Image().src = evil), evil);
  await fired("/evil");
  await visitor.context.close();
});

test("in test mode nothing fires but where the page's address forces it", async () => {
  await connect(spy("/forced"), { mode: "test" });
  const visitor = await arrive();
  assert.equal((await track(visitor, "Purchase", { value: 1 })).answer.pixels.length, 0);
  // The test begins on the landing page, and the sale is on another.
  await visitor.page.goto(`${site.origin}/landing?bt_test=1`);
  await visitor.page.goto(`${site.origin}/thanks`);
  await visitor.page.waitForFunction("window.backtrail && backtrail.clickId");
  assert.equal((await track(visitor, "Purchase", { value: 2 })).answer.pixels.length, 1);
  assert.ok((await fired("/forced")).url.includes("value=2"));
  await visitor.context.close();
});

// The loop in a real browser, where cookies, redirects and origins mean what visitors' browsers make of them.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { launch, photograph, visit } from "./support/chromium.js";
import { eventually } from "./support/eventually.js";
import { CLICK_ID, createNamespace, TEN_PERCENT } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, browser;
before(async () => {
  worker = await startWorker();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await worker?.stop();
});

describe("the demo's landing page", () => {
  test("a click sets the cookies, the page shows the click_id, and its button converts", async () => {
    const shop = await createNamespace(worker, "acme");
    const scene = await shop.campaign({ currency: "USD" }, { landing: `http://${shop.host}/demo-shop` });
    const { context, page, troubles } = await visit(browser);

    const response = await page.goto(`http://${shop.host}/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}`);

    assert.equal(response.status(), 200);
    const clickId = new URL(page.url()).searchParams.get("click_id");
    assert.match(clickId, CLICK_ID);
    assert.ok((await page.textContent("body")).includes(clickId), "the page shows the click_id");
    await photograph(page, "demo-shop");

    const cookies = await context.cookies(`http://${shop.host}/`);
    assert.deepEqual(cookies.map((cookie) => cookie.name).sort(), ["click_id", `click_id_${scene.campaign.id}`]);
    for (const cookie of cookies) {
      const { value, path, secure, httpOnly, sameSite } = cookie;
      assert.deepEqual({ value, path, secure, httpOnly, sameSite }, { value: clickId, path: "/", secure: true, httpOnly: true, sameSite: "Lax" });
      const days = (cookie.expires - Date.now() / 1000) / 86_400;
      assert.ok(days > 29.9 && days <= 30, `${days} days`);
    }

    await page.getByRole("button").first().click();
    const [conversion] = await eventually("the conversion is there", async () => {
      const found = await shop.all("conversions");
      return found.length === 1 && found;
    });
    assert.equal(conversion.click_id, clickId);
    assert.equal(conversion.affiliate_id, scene.affiliate.id);
    await photograph(page, "demo-shop-converted");
    assert.deepEqual(troubles, []);
    await context.close();
  });
});

describe("tracker.js on a shop of another origin", () => {
  let server, shop, scene, address;
  before(async () => {
    server = createServer((request, response) => {
      response.setHeader("content-type", "text/html; charset=utf-8");
      const isQueued = request.url.startsWith("/queued");
      response.end(`<!doctype html><title>Shop</title><h1>Shop</h1>
        <script>${isQueued ? STUB : ""}</script>
        <script ${isQueued ? "async" : ""} src="http://${shop.host}/tracker.js"></script>`);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    address = `http://www.shop.localhost:${server.address().port}`;
    shop = await createNamespace(worker, "zenith", { collect_origins: [address] });
    scene = await shop.campaign(
      { ...TEN_PERCENT, is_pixel_allowed: true, is_amount_trusted: true, conversions_per_click: "per_order", site_events: { Purchase: "initial" } },
      { landing: `${address}/landing` },
    );
  });
  after(() => server?.close());

  // Calls made before the script has loaded wait in `backtrail.q`.
  const STUB = `window.backtrail=window.backtrail||function(){(backtrail.q=backtrail.q||[]).push(arguments)};
    backtrail("track", "Purchase", { value: "10.00", currency: "USD", eventId: "queued-1" });`;
  const clickAddress = () => `http://${shop.host}/click?campaign_id=${scene.campaign.id}&ref_id=${scene.link.id}`;
  const stored = async (context) => (await context.cookies(address)).find((cookie) => cookie.name === "click_id");

  test("stores the click_id of the landing URL in a cookie of the shop's registrable domain", async () => {
    const { context, page, troubles } = await visit(browser);
    await page.goto(clickAddress());
    assert.ok(page.url().startsWith(`${address}/landing?`));
    const clickId = new URL(page.url()).searchParams.get("click_id");
    const { value, domain, path, secure, httpOnly, sameSite } = await eventually("the cookie is set", () => stored(context));
    assert.deepEqual(
      { value, domain, path, secure, httpOnly, sameSite },
      { value: clickId, domain: ".shop.localhost", path: "/", secure: true, httpOnly: false, sameSite: "Lax" },
    );
    assert.equal(await page.evaluate("backtrail.clickId()"), clickId);
    // It is there on the next page as well, without a parameter.
    await page.goto(`${address}/other`);
    assert.equal(await page.evaluate("backtrail.clickId()"), clickId);
    await photograph(page, "shop");
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("does not store an id that is not Backtrail's, and does not let it replace a stored one", async () => {
    const { context, page } = await visit(browser);
    const foreign = ["102abc", "x".repeat(47), "y".repeat(49), `${"z".repeat(47)}!`, `${"é".repeat(48)}`, "00000000-0000-4000-8000-000000000000"];
    for (const id of foreign) {
      await page.goto(`${address}/landing?click_id=${encodeURIComponent(id)}`);
      await page.waitForFunction("window.backtrail && backtrail.clickId");
      assert.equal(await stored(context), undefined, id);
    }
    await page.goto(clickAddress());
    const { value: own } = await eventually("the cookie is set", () => stored(context));
    for (const id of foreign) {
      await page.goto(`${address}/landing?click_id=${encodeURIComponent(id)}`);
      await page.waitForFunction("window.backtrail && backtrail.clickId");
      assert.equal((await stored(context)).value, own, id);
    }
    // Control: a newer click of Backtrail's own does replace it.
    await page.goto(clickAddress());
    await eventually("the newer click is stored", async () => (await stored(context)).value !== own);
    await context.close();
  });

  test("turns a mapped site event into a conversion that is at most pending", async () => {
    const { context, page, troubles } = await visit(browser);
    await page.goto(clickAddress());
    const clickId = (await eventually("the cookie is set", () => stored(context))).value;

    await page.evaluate(`backtrail("track", "Purchase", { value: "99.95", currency: "USD", eventId: "web-1" })`);

    const [conversion] = await eventually("the conversion is there", async () => {
      const found = await shop.all("conversions", { order_id: "web-1" });
      return found.length > 0 && found;
    });
    assert.equal(conversion.click_id, clickId);
    assert.equal(conversion.affiliate_id, scene.affiliate.id);
    assert.equal(conversion.status, "pending");
    assert.deepEqual(conversion.revenue, { amount: "10.00", currency: "USD" });
    // The same event again, and one that no campaign maps, change nothing; a later mapped one shows that they arrived.
    await page.evaluate(`backtrail("track", "Purchase", { value: "99.95", currency: "USD", eventId: "web-1" })`);
    await page.evaluate(`backtrail("track", "AddToCart", { value: "5.00", eventId: "web-2" })`);
    await page.evaluate(`backtrail("track", "Purchase", { value: "1.00", currency: "USD", eventId: "web-3" })`);
    await eventually("the last one is there", async () => (await shop.all("conversions", { order_id: "web-3" })).length === 1);
    assert.deepEqual((await shop.all("conversions", { click_id: clickId })).map((one) => one.order_id).sort(), ["web-1", "web-3"]);
    assert.deepEqual(troubles, []);
    await context.close();
  });

  test("takes up what was called before it had loaded", async () => {
    const { context, page } = await visit(browser);
    await page.goto(clickAddress());
    await eventually("the cookie is set", () => stored(context));
    await page.goto(`${address}/queued`);
    await eventually("the queued event converts", async () => (await shop.all("conversions", { order_id: "queued-1" })).length === 1);
    await context.close();
  });

  test("control: from an origin that the namespace does not list nothing is recorded", async () => {
    const { context, page } = await visit(browser);
    const stranger = address.replace("www.", "stranger.");
    await page.goto(clickAddress());
    const clickId = (await eventually("the cookie is set", () => stored(context))).value;
    await page.goto(`${stranger}/landing?click_id=${clickId}`);
    // Not the page's own report of its arrival.
    const isEvent = (request) => request.url().endsWith("/collect") && request.postData().includes("stranger-1");
    const answered = page.waitForEvent("requestfinished", isEvent);
    const failed = page.waitForEvent("requestfailed", isEvent);
    for (const outcome of [answered, failed]) outcome.catch(() => {});
    await page.evaluate(`backtrail("track", "Purchase", { value: "1.00", currency: "USD", eventId: "stranger-1" })`);
    await Promise.race([answered, failed]);
    assert.deepEqual(await shop.all("conversions", { order_id: "stranger-1" }), []);
    await context.close();
  });
});

// A click whose configuration is in memory is answered without a promise, by a copy of one response. Nobody can tell it from
// one for which something had to be loaded, and nothing of the click before is left in it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./support/eventually.js";
import { CLICK_ID, createNamespace } from "./support/tracker.js";
import { startWorker } from "./support/worker.js";

let worker, shop;
before(async () => {
  worker = await startWorker();
  shop = await createNamespace(worker, "memory");
});
after(() => worker?.stop());

/** What of an answer is the same for every click. */
const masked = ({ status, headers, cookies, text }) => ({
  status,
  text,
  headers: Object.keys(headers).sort(),
  cacheControl: headers["cache-control"],
  location: headers.location?.replace(/click_id=[A-Za-z0-9_-]{48}/, "click_id=ID"),
  cookies: cookies.map((cookie) => cookie.replace(/=[A-Za-z0-9_-]{48};/, "=ID;")),
});

test("a redirect from memory has the status and headers of one that was loaded", async () => {
  const { campaign, link } = await shop.campaign();
  const click = (method) => shop.send({ method, path: `/click?campaign_id=${campaign.id}&ref_id=${link.id}&sub1=x` });
  const loaded = masked(await click("GET"));
  assert.deepEqual(loaded, {
    status: 302,
    text: "",
    headers: loaded.headers,
    cacheControl: "no-store",
    location: "https://shop.example/landing?click_id=ID",
    cookies: ["click_id", `click_id_${campaign.id}`].map(
      (name) => `${name}=ID; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax`,
    ),
  });
  for (let i = 0; i < 3; i += 1) assert.deepEqual(masked(await click("GET")), loaded);
  const { headers, ...head } = masked(await click("HEAD"));
  assert.deepEqual({ ...head, headers: loaded.headers }, loaded);
  assert.ok(headers.includes("set-cookie"));
});

test("nothing of one click is left in the next one", async () => {
  const { campaign, link } = await shop.campaign();
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}`;
  const ids = new Set();
  for (let i = 0; i < 5; i += 1) {
    const { headers, cookies } = await shop.send({ path });
    const id = new URL(headers.location).searchParams.get("click_id");
    assert.equal(cookies.length, 2);
    for (const cookie of cookies) assert.ok(cookie.includes(`=${id};`), "the cookies are the click's own");
    ids.add(id);
    const refused = await shop.send({ path: `${path}&consent=0` });
    assert.deepEqual([refused.headers.location, refused.cookies], ["https://shop.example/landing", []]);
  }
  assert.equal(ids.size, 5);
});

test("clicks at the same time get each what is its own", async () => {
  const { campaign, link } = await shop.campaign();
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}`;
  await shop.send({ path });
  const answers = await Promise.all(
    Array.from({ length: 300 }, (_, i) => shop.send({ path: i % 3 === 0 ? `${path}&consent=0` : path })),
  );
  const ids = answers.map(({ headers, cookies }, i) => {
    const id = new URL(headers.location).searchParams.get("click_id");
    assert.equal(cookies.length, i % 3 === 0 ? 0 : 2);
    for (const cookie of cookies) assert.ok(cookie.includes(`=${id};`), "the cookies are the click's own");
    return id;
  });
  assert.equal(new Set(ids.filter((id) => id !== null)).size, 200);
});

test("a redirect that has no room on the tray arrives whole, and its click is stored once", async () => {
  const { campaign, link } = await shop.campaign();
  const name = "y".repeat(80);
  const url = `https://shop.example/long?${Array.from({ length: 45 }, (_, i) => `${name}${i}={sub1}`).join("&")}`;
  const page = await shop.create("landing-pages", { campaign_id: campaign.id, name: "Long", url });
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}&lp=${page.id}`;
  for (let i = 0; i < 3; i += 1) {
    // A short one before, of which nothing may be left.
    await shop.send({ path });
    const value = String(i).repeat(512);
    const { status, headers, cookies } = await shop.send({ path: `${path}&sub1=${value}`, maxHeaderSize: 64 * 1024 });
    const location = new URL(headers.location);
    assert.equal(status, 302);
    assert.ok(headers.location.length > 24_000, `${headers.location.length} characters`);
    const id = location.searchParams.get("click_id");
    location.searchParams.delete("click_id");
    assert.equal(location.href, url.replaceAll("{sub1}", value));
    assert.deepEqual(cookies.map((cookie) => cookie.split(";")[0]), [`click_id=${id}`, `click_id_${campaign.id}=${id}`]);
    const counted = async () => (await worker.query("SELECT count(*) AS clicks FROM clicks WHERE ref_id = ?1", link.id))[0].clicks;
    await eventually("both clicks are written", async () => (await counted()) >= 2 * (i + 1));
    assert.equal(await counted(), 2 * (i + 1));
  }
});

test("a click that has no room there, or has letters beyond ASCII, is followed like any other", async () => {
  const { campaign, link } = await shop.campaign();
  const page = await shop.create("landing-pages", { campaign_id: campaign.id, name: "S", url: "https://shop.example/s?s={sub1}&u={user_agent}" });
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}&lp=${page.id}&sub1=x`;
  await shop.send({ path });
  for (const [headers, more] of [
    [{ cookie: `other=${"c".repeat(6_000)}` }, ""],
    [{ "user-agent": "Mozilla/5.0 (é; Linux)" }, ""],
    [{}, `&note=${"n".repeat(9_000)}`],
    [{ cookie: `other=${"c".repeat(9_000)}` }, `&note=${"n".repeat(9_000)}`],
    [{}, ""],
  ]) {
    const { status, headers: { location } } = await shop.send({ path: path + more, headers });
    assert.equal(status, 302);
    const { click_id, ...rest } = Object.fromEntries(new URL(location).searchParams);
    assert.match(click_id, CLICK_ID);
    assert.equal(rest.s, "x");
    if (headers["user-agent"]) assert.match(rest.u, /^Mozilla\/5\.0 \(.+; Linux\)$/);
  }
});

test("redirects of every length are the click's own, whatever lay on the tray", async () => {
  const { campaign, link } = await shop.campaign();
  // Long enough that the longest have more than 1 KiB.
  const p = "p".repeat(300);
  const page = await shop.create("landing-pages", { campaign_id: campaign.id, name: "S", url: `https://shop.example/s?p=${p}&s={sub1}` });
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}&lp=${page.id}&sub1=`;
  const { answered } = await worker.control("clicks");
  const ids = new Set();
  for (let length = 1; length <= 512; length += 1) {
    // A click that is followed elsewhere leaves letters of two bytes on the tray, so that one is cut wherever a view ends.
    const headers = { "user-agent": `Mozilla/5.0 ${"x".repeat(length % 2)}${"é".repeat(600)}` };
    await shop.send({ path: path + "s", headers });
    const { headers: { location }, cookies } = await shop.send({ path: path + "s".repeat(length) });
    const { s, click_id, ...rest } = Object.fromEntries(new URL(location).searchParams);
    assert.deepEqual([s.length, rest], [length, { p }]);
    assert.deepEqual(cookies, ["click_id", `click_id_${campaign.id}`].map(
      (name) => `${name}=${click_id}; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax`,
    ));
    ids.add(click_id);
  }
  assert.equal(ids.size, 512);
  const onTray = (await worker.control("clicks")).answered - answered;
  assert.ok(onTray > 500, `all but those that had to load something came by the tray: ${onTray}`);
});

test("a click is the visitor's own when the memory grows while it is followed", async () => {
  const { campaign, link } = await shop.campaign();
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}`;
  await shop.send({ path });
  const { answered } = await worker.control("clicks", { grow: 1 });
  for (let i = 0; i < 3; i += 1) {
    const { status, headers, cookies } = await shop.send({ path });
    const id = new URL(headers.location).searchParams.get("click_id");
    assert.equal(status, 302);
    assert.deepEqual(cookies.map((cookie) => cookie.split(";")[0]), [`click_id=${id}`, `click_id_${campaign.id}=${id}`]);
  }
  const { grow, ...after } = await worker.control("clicks");
  assert.deepEqual([grow, after.answered], [0, answered + 3]);
});

test("a click on which WebAssembly traps is answered by a fresh instance, and those after it from its memory", async () => {
  const { campaign, link } = await shop.campaign();
  const path = `/click?campaign_id=${campaign.id}&ref_id=${link.id}`;
  await shop.send({ path });
  await createNamespace(worker, "demo", { traffic_back_url: "https://elsewhere.example/" });
  const { instance } = await worker.control("clicks", { trap: 1, answered: 0 });
  const ids = new Set();
  for (let i = 0; i < 6; i += 1) {
    const { status, headers } = await shop.send({ path });
    assert.equal(status, 302);
    // The next click finds zeros in the fresh instance, which must not pass for one of a host that names nobody.
    if (i === 0) assert.equal((await shop.send({ host: "localhost", path: "/?ref_id=1" })).headers.location, "https://elsewhere.example/");
    ids.add(new URL(headers.location).searchParams.get("click_id"));
  }
  assert.equal(ids.size, 6);
  const after = await worker.control("clicks");
  assert.ok(after.instance > instance);
  await eventually("the operator is told", () => worker.logs.some(({ message }) => message.includes("WebAssembly stopped: unreachable")));
  // The first loads the configuration, the next one finds that the view shows the old memory.
  assert.equal(after.answered, 4);
});

test("a link that leads nowhere shows its page each time", async () => {
  const { campaign } = await shop.campaign();
  for (let i = 0; i < 3; i += 1) {
    const answer = await shop.send({ path: `/click?campaign_id=${campaign.id}&ref_id=4000000000` });
    assert.equal(answer.status, 404);
    assert.match(answer.headers["content-type"], /^text\/html/);
    assert.match(answer.text, /This link leads nowhere/);
  }
});

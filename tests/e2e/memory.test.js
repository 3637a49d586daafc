// A click whose configuration is in memory is answered without a promise, by a copy of one response. Nobody can tell it from
// one for which something had to be loaded, and nothing of the click before is left in it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createNamespace } from "./support/tracker.js";
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

test("a link that leads nowhere shows its page each time", async () => {
  const { campaign } = await shop.campaign();
  for (let i = 0; i < 3; i += 1) {
    const answer = await shop.send({ path: `/click?campaign_id=${campaign.id}&ref_id=4000000000` });
    assert.equal(answer.status, 404);
    assert.match(answer.headers["content-type"], /^text\/html/);
    assert.match(answer.text, /This link leads nowhere/);
  }
});

// Control: every click stored, a page at a time. The same pages, columns, statement and waits as Backtrail's.
import { click } from "./click.js";
import { INSERT_CLICKS, clickRow } from "./rows.js";

const PAGE_CLICKS = 500;
const PAGE_MS = 250;
const KV_TTL = 30 * 86_400;

let open;

function newPage() {
  const random = crypto.getRandomValues(new Uint8Array(6));
  let name = 0;
  for (const byte of random) name = name * 256 + byte;
  return { name, rows: [] };
}

async function write(page, env) {
  await scheduler.wait(PAGE_MS);
  if (open === page) open = undefined;
  const text = JSON.stringify(page.rows);
  await Promise.all([
    env.DB.prepare(INSERT_CLICKS).bind(text).run(),
    env.KV.put(`clicks:${page.name.toString(16)}`, text, { expirationTtl: KV_TTL }),
  ]);
}

export default {
  fetch(request, env, ctx) {
    const outcome = click(request);
    if (outcome === undefined) return new Response("Not found", { status: 404 });
    let page = open;
    if (page === undefined || page.rows.length === PAGE_CLICKS) {
      page = open = newPage();
      ctx.waitUntil(write(page, env));
    }
    page.rows.push(clickRow(request, outcome, page.name, page.rows.length));
    return outcome.response;
  },
};

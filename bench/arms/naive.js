// Control: the design that comes to mind first. One KV put and one D1 insert per click, behind the response.
import { click } from "./click.js";
import { INSERT_CLICKS, clickRow } from "./rows.js";

async function store(row, id, env) {
  const text = JSON.stringify([row]);
  await Promise.all([env.DB.prepare(INSERT_CLICKS).bind(text).run(), env.KV.put(`click:${id}`, text)]);
}

export default {
  fetch(request, env, ctx) {
    const outcome = click(request);
    if (outcome === undefined) return new Response("Not found", { status: 404 });
    // The page is what makes the row's key unique; here every click has one to itself.
    const page = Math.floor(Math.random() * 2 ** 48);
    ctx.waitUntil(store(clickRow(request, outcome, page, 0), outcome.id, env));
    return outcome.response;
  },
};

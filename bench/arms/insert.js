// Control: a postback that is one awaited D1 insert and a JSON answer with the keys of Backtrail's.
import { isPath, parameters } from "./click.js";

const INSERT = `INSERT INTO postbacks (campaign_id, order_id, click_id, amount, currency, received_at)
VALUES (?1, ?2, ?3, ?4, 'USD', ?5) ON CONFLICT DO NOTHING`;

export default {
  async fetch(request, env) {
    const url = request.url;
    const question = url.indexOf("?");
    if (question < 0 || !isPath(url, question, "/postback")) return new Response("Not found", { status: 404 });
    const { campaign_id, order_id, click_id, amount } = parameters(url, question);
    if (!campaign_id || !order_id || !click_id) return Response.json({ verdict: "rejected" }, { status: 400 });
    const minor = Math.round(Number(amount) * 100);
    const { meta } = await env.DB.prepare(INSERT)
      .bind(Number(campaign_id), order_id, click_id, minor, Date.now())
      .run();
    const money = { amount: "5.00", currency: "USD" };
    return Response.json({
      verdict: meta.changes === 1 ? "recorded" : "duplicate",
      reason: null,
      conversion_id: crypto.randomUUID(),
      click_id,
      campaign_id: Number(campaign_id),
      affiliate_id: 1,
      event: null,
      status: "approved",
      revenue: money,
      payout: money,
      warnings: [],
      request_id: crypto.randomUUID(),
    });
  },
};

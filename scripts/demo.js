// The `demo` namespace of a development store, made through the API as anybody would make one.
// Everything is looked up before it is created, so that a run that was interrupted is completed by the next one.
import { createHmac } from "node:crypto";

const NAMESPACE = "demo";
const ADVERTISER = { name: "Demo Shop" };
// A sale: the shop's server says so with a token, and a share of the amount is paid, per order.
const SALES = {
  name: "Demo sales",
  state: "active",
  currency: "USD",
  authentication: "token",
  conversions_per_click: "per_order",
  revenue_type: "cps",
  revenue_percent: "15",
  payout_type: "cps",
  payout_percent: "10",
};
// A lead: the shop's page says so without proof, so a fixed sum waits for approval.
const LEADS = {
  name: "Demo leads",
  state: "active",
  currency: "USD",
  authentication: "none",
  default_status: "pending",
  revenue_type: "cpl",
  revenue_fixed: "3.00",
  payout_type: "cpl",
  payout_fixed: "2.00",
  is_pixel_allowed: true,
  site_events: { Purchase: "initial" },
};
const AFFILIATES = [
  { name: "Alma's Blog", custom_id: "alma" },
  { name: "Bargain Bee", custom_id: "bee" },
  { name: "Coupon Corner", custom_id: "corner" },
];

const derive = (adminToken, label) => createHmac("sha256", adminToken).update(`backtrail demo ${label}`).digest("base64url");

/** The operator's own token of the demo namespace, with which its shop reports sales of either campaign. */
export const demoToken = (adminToken) => `btp_${derive(adminToken, "token")}`;

/**
 * Makes what is missing of the demo and says how to use it.
 * The key and the token follow from the admin token: the store keeps their hashes only, and still they can be shown at every start.
 */
export async function ensureDemo({ base, port, adminToken }) {
  const apiKey = `bt_${derive(adminToken, "api key")}`;
  const token = demoToken(adminToken);
  const host = `http://demo-tracking.localhost:${port}`;
  const api = new Api(base, adminToken);

  await api.ensure("namespaces", (it) => it.name === NAMESPACE, { name: NAMESPACE }, { collect_origins: [host] });
  const advertiser = await api.ensure("advertisers", byName(ADVERTISER), ADVERTISER);
  const campaigns = [];
  for (const campaign of [SALES, LEADS]) {
    campaigns.push(await api.ensure("campaigns", byName(campaign), { ...campaign, advertiser_id: advertiser.id }));
  }
  for (const { id } of campaigns) {
    const page = { campaign_id: id, name: "Demo shop" };
    // The address has the port in it, which may differ from the last run's.
    await api.ensure("landing-pages", (it) => it.campaign_id === id && it.name === page.name, page, { url: `${host}/demo-shop` });
  }
  const affiliates = [];
  for (const affiliate of AFFILIATES) affiliates.push(await api.ensure("affiliates", byName(affiliate), affiliate));
  const links = await ensureLinks(api, campaigns, affiliates);
  await ensureToken(api, campaigns[0], token);
  await ensureKey(api, apiKey);

  const link = links.find((it) => it.campaign_id === campaigns[0].id && it.affiliate_id === affiliates[0].id);
  return {
    click: `${host}/click?campaign_id=${campaigns[0].id}&ref_id=${link.id}`,
    postback: `${host}/postback?click_id=CLICK_ID&order_id=ORDER_ID&amount=AMOUNT&secure=${token}`,
    apiKey,
  };
}

const byName = ({ name }) => (it) => it.name === name;

async function ensureLinks(api, campaigns, affiliates) {
  const existing = await api.list("links");
  const has = (link) => existing.some((it) => it.campaign_id === link.campaign_id && it.affiliate_id === link.affiliate_id);
  const missing = campaigns
    .flatMap((campaign) => affiliates.map((affiliate) => ({ campaign_id: campaign.id, affiliate_id: affiliate.id })))
    .filter((link) => !has(link));
  const created = missing.length > 0 ? (await api.call("POST", "links", { links: missing })).data : [];
  return [...existing, ...created];
}

// Whether the token is known can only be asked by using it; a dry run records nothing.
async function ensureToken(api, campaign, token) {
  const known = async () => {
    const response = await fetch(`${api.base}/postback?campaign_id=${campaign.id}&secure=${token}&dry_run=1`);
    return response.status !== 401;
  };
  if (await known()) return;
  // Two may live at once. These are of an earlier .dev.vars, which nobody can derive any more.
  const live = (await api.list("tokens")).filter(
    (it) => it.level === "namespace" && !it.revoked_at,
  );
  for (const { id } of live.slice(1)) await api.call("DELETE", `tokens/${id}`);
  await api.createUnlessRevoked("tokens", { level: "namespace", token });
}

async function ensureKey(api, key) {
  const response = await fetch(`${api.base}/api/v1/campaigns?limit=1`, { headers: { authorization: `Bearer ${key}` } });
  if (response.status !== 401) return;
  await api.createUnlessRevoked("keys", { name: "Demo", scopes: ["read", "write", "approve", "pii"], key });
}

/** The API with the root key, inside the demo namespace. */
class Api {
  constructor(base, adminToken) {
    this.base = base;
    this.headers = {
      authorization: `Bearer ${adminToken}`,
      "content-type": "application/json",
      "x-backtrail-namespace": NAMESPACE,
    };
  }

  async call(method, path, body) {
    const headers = { ...this.headers };
    // There is no namespace to be inside of while namespaces are listed and created.
    if (/^namespaces(\?|$)/.test(path)) delete headers["x-backtrail-namespace"];
    const response = await fetch(`${this.base}/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) {
      throw Object.assign(new Error(`the demo could not be made: ${method} ${path} answered ${response.status} ${text}`), { status: response.status });
    }
    return text === "" ? null : JSON.parse(text);
  }

  /** Whoever has revoked the demo's key or token wants it gone, and wants `make dev` to start all the same. */
  async createUnlessRevoked(resource, fields) {
    try {
      await this.call("POST", resource, fields);
    } catch (error) {
      if (error.status !== 409) throw error;
      console.error(`[dev] the demo's own of the ${resource} has been revoked and stays so; for a new one delete ADMIN_TOKEN from .dev.vars`);
    }
  }

  async list(resource) {
    const all = [];
    let cursor = null;
    do {
      const page = await this.call("GET", `${resource}?limit=500${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
      all.push(...page.data);
      cursor = page.next_cursor;
    } while (cursor);
    return all;
  }

  /** The object that matches, created with `fields` if there is none; `current` are fields that are also brought up to date. */
  async ensure(resource, matches, fields, current = {}) {
    const found = (await this.list(resource)).find(matches);
    if (!found) return this.call("POST", resource, { ...fields, ...current });
    const stale = Object.keys(current).some((name) => JSON.stringify(found[name]) !== JSON.stringify(current[name]));
    return stale ? this.call("PATCH", `${resource}/${found.id ?? found.name}`, current) : found;
  }
}

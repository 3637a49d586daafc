// Gives every Backtrail instance its schema and, through its own API, something to redirect to.
import { readFileSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { ROOT } from "./modules.js";
import { ask } from "./http.js";

/** Secrets of a server that lives for one benchmark and listens on loopback only. */
const ADMIN_TOKEN = "benchmark-root-key-of-forty-characters--";
const POSTBACK_TOKEN = "btp_benchmark-token-of-forty-characters-x";

export const BINDINGS = {
  ENVIRONMENT: "production",
  CLICK_PAGE_MS: "250",
  CLICK_COPIES: "on",
  CLICK_RECORDING: "on",
  TRACKING_URL: "http://{namespace}-tracking.localhost",
  STORAGE_TIMEOUT_MS: "900",
  CLICK_KEYS: "1:benchmark-click-secret-of-forty-characters",
  ADMIN_TOKEN,
};

export const CLICK = "/click?campaign_id=1&ref_id=1&source=newsletter&sub1=spring";
export const POSTBACK = `campaign_id=1&amount=10.00&secure=${POSTBACK_TOKEN}`;
/** The same with everything that decides money: an event, a personal payout, another currency. */
const EVENT_TOKEN = "btp_benchmark-token-of-the-second-campaign";
export const EVENT_CLICK = "/click?campaign_id=2&ref_id=2&source=newsletter&sub1=spring";
export const EVENT_INITIAL = `campaign_id=2&amount=10.00&secure=${EVENT_TOKEN}`;
export const EVENT_POSTBACK = `campaign_id=2&event_id=1&amount=10.00&currency=EUR&secure=${EVENT_TOKEN}`;
/** 10.00 EUR are 10.84 USD, of which the event earns 20 % and the personal rule pays 12.5 %. */
export const EVENT_MONEY = { revenue: "2.17", payout: "1.36" };
const LANDING = "https://shop.example/landing?source={source}&sub1={sub1}";

/** The statements of a file of SQL; comments may hold semicolons, triggers do. */
function statements(text) {
  const bare = text.replaceAll(/--[^\n]*/g, "");
  const found = [];
  let open = "";
  for (const piece of bare.split(";")) {
    open += piece;
    if (/\bCREATE\s+TRIGGER\b/i.test(open) && !/\bEND\s*$/i.test(open)) {
      open += ";";
      continue;
    }
    if (open.trim() !== "") found.push(open.trim());
    open = "";
  }
  return found;
}

/** Every migration in order. */
export function migrations() {
  const folder = resolve(ROOT, "migrations");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  return files.sort().flatMap((name) => statements(readFileSync(resolve(folder, name), "utf8")));
}

export const controlSchema = () => statements(readFileSync(resolve(ROOT, "bench/arms/schema.sql"), "utf8"));

/** Creates things over the API, in the namespace `demo` unless told otherwise. */
function creator(origin) {
  return async (resource, body, namespace = { "X-Backtrail-Namespace": "demo" }) => {
    const answer = await ask(`${origin}/api/v1/${resource}`, {
      method: "POST",
      headers: {
        // A host that names no namespace: the first request creates the one that the clicks' host names.
        Host: "localhost",
        Authorization: `Bearer ${ADMIN_TOKEN}`,
        ...namespace,
        "Content-Type": "application/json",
      },
      body: JSON.stringify(body),
    });
    if (answer.status !== 201) throw new Error(`POST ${resource} answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body);
  };
}

/** Creates one of each: namespace, advertiser, campaign, landing page, affiliate, link and token. */
export async function seed(origin) {
  const create = creator(origin);
  await create("namespaces", { name: "demo" }, {});
  const advertiser = await create("advertisers", { name: "Shop" });
  const campaign = await create("campaigns", {
    name: "Benchmark",
    advertiser_id: advertiser.id,
    currency: "USD",
    authentication: "token",
    conversions_per_click: "per_order",
    revenue_fixed: "7.00",
    payout_fixed: "5.00",
  });
  await create("landing-pages", { campaign_id: campaign.id, name: "Home", url: LANDING });
  const affiliate = await create("affiliates", { name: "Blog" });
  const link = await create("links", { campaign_id: campaign.id, affiliate_id: affiliate.id });
  await create("tokens", { level: "campaign", level_id: campaign.id, token: POSTBACK_TOKEN });
  // The controls have these numbers in their source.
  const ids = [campaign.id, affiliate.id, link.id];
  if (ids.some((id) => id !== 1)) throw new Error(`the first ids are ${ids}, not 1`);
}

/**
 * Adds a second campaign that has what the first lacks: an event, payout rules of which a personal one applies, and
 * rates of three currencies for a year. Left out of the other measurements, whose campaign it would not touch anyway.
 */
export async function seedEvent(origin) {
  const create = creator(origin);
  const campaign = await create("campaigns", {
    name: "Benchmark of events",
    advertiser_id: 1,
    currency: "USD",
    authentication: "token",
    conversions_per_click: "per_order",
    revenue_fixed: "7.00",
    payout_fixed: "5.00",
  });
  const campaign_id = campaign.id;
  await create("landing-pages", { campaign_id, name: "Home", url: LANDING });
  const link = await create("links", { campaign_id, affiliate_id: 1 });
  await create("tokens", { level: "campaign", level_id: campaign_id, token: EVENT_TOKEN });
  const purchase = { name: "purchase", repeat: "per_order", payout_fixed: "1.00", revenue_type: "cps", revenue_percent: "20" };
  const event = await create("events", { campaign_id, ...purchase });
  const pay = (rule) => create("payouts", { campaign_id, payout_type: "cps", ...rule });
  await pay({ goal: "electronics", payout_percent: "8" });
  await pay({ countries: ["DE", "AT", "CH"], payout_percent: "6" });
  await pay({ event_id: event.id, payout_percent: "5" });
  for (let i = 0; i < 10; i += 1) {
    const affiliate = await create("affiliates", { name: `Blog ${i}` });
    await pay({ affiliate_id: affiliate.id, payout_percent: "9" });
  }
  await pay({ affiliate_id: 1, event_id: event.id, payout_percent: "12.5", payout_max: "50.00" });
  // Months before the newest, which applies.
  for (const from_currency of ["CHF", "EUR", "GBP"]) {
    for (let month = 1; month <= 12; month += 1) {
      const valid_from = `2025-${String(month).padStart(2, "0")}-01T00:00:00Z`;
      const rate = month === 12 ? "1.0842" : `1.1${String(month).padStart(2, "0")}`;
      await create("rates", { from_currency, to_currency: "USD", rate, valid_from });
    }
  }
  const ids = [campaign.id, link.id, event.id];
  if (ids.join() !== "2,2,1") throw new Error(`campaign, link and event are ${ids}, not 2, 2 and 1`);
}

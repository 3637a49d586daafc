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

/** Creates one of each: namespace, advertiser, campaign, landing page, affiliate, link and token. */
export async function seed(origin) {
  const create = async (resource, body, namespace = { "X-Backtrail-Namespace": "demo" }) => {
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

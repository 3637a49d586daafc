// Backtrail as its users see it: operators over the API, visitors who click, shops that post back.
// Each verb takes the status that is expected, and fails with the whole answer where another one came.

import assert from "node:assert/strict";
import { VISITOR } from "./http.js";
import { ROOT_KEY } from "./worker.js";

export const CLICK_ID = /^[A-Za-z0-9_-]{48}$/;

/** Revenue as a percentage of the amount, which is then mandatory. */
export const TEN_PERCENT = { revenue_type: "cps", revenue_fixed: "0", revenue_percent: "10" };

/** The keys of every answer to a postback, wire.md 6. */
export const REPLY_KEYS = [
  "verdict", "reason", "conversion_id", "click_id", "campaign_id", "affiliate_id", "event", "status", "revenue", "payout",
  "warnings", "request_id",
];

/** Creates a namespace with a key of all scopes. */
export async function createNamespace(worker, name, settings = {}) {
  const root = new Namespace(worker, name, ROOT_KEY);
  // On a host that names nobody: the namespace's own names one that does not exist yet.
  await root.api("POST", "namespaces", { host: "localhost", body: { name, ...settings }, expect: 201 });
  const { key } = await root.create("keys", { name: "tests", scopes: ["read", "write", "approve", "pii"] });
  return new Namespace(worker, name, key);
}

export class Namespace {
  constructor(worker, name, key) {
    this.worker = worker;
    this.name = name;
    this.key = key;
  }

  get host() {
    return `${this.name}-tracking.localhost:${this.worker.port}`;
  }

  /** The same namespace as somebody with another key (or, with null, with none) sees it. */
  as(key) {
    return new Namespace(this.worker, this.name, key);
  }

  send(request) {
    return this.worker.client.send({ host: this.host, ...request });
  }

  // Operators.

  async api(method, path, { host = this.host, body, headers = {}, expect } = {}) {
    const answer = await this.send({
      method,
      host,
      path: `/api/v1/${path}`,
      headers: {
        ...(this.key && { authorization: `Bearer ${this.key}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
    });
    if (expect !== undefined) expectStatus(answer, expect, `${method} /api/v1/${path}`);
    return answer;
  }

  async get(path, expect = 200) {
    return (await this.api("GET", path, { expect })).json;
  }

  async create(resource, body, expect = 201) {
    return (await this.api("POST", resource, { body, expect })).json;
  }

  async patch(path, body, expect = 200) {
    return (await this.api("PATCH", path, { body, expect })).json;
  }

  async remove(path, expect = 204) {
    await this.api("DELETE", path, { expect });
  }

  /** The whole of a list, cursor by cursor. */
  async all(resource, filters = {}) {
    const found = [];
    for (let cursor = null; ; ) {
      const query = new URLSearchParams({ limit: "500", ...filters, ...(cursor && { cursor }) });
      const page = await this.get(`${resource}?${query}`);
      found.push(...page.data);
      cursor = page.next_cursor;
      if (cursor === null) return found;
    }
  }

  /** A campaign with everything that a click and a postback need. */
  async campaign(settings = {}, { landing = "https://shop.example/landing" } = {}) {
    const advertiser = await this.create("advertisers", { name: "Shop" });
    const campaign = await this.create("campaigns", {
      name: "Campaign",
      advertiser_id: advertiser.id,
      currency: "USD",
      authentication: "none",
      revenue_type: "fixed",
      revenue_fixed: "8.00",
      payout_type: "fixed",
      payout_fixed: "5.00",
      ...settings,
    });
    const landingPage = await this.create("landing-pages", { campaign_id: campaign.id, name: "Main", url: landing });
    const affiliate = await this.create("affiliates", { name: "Ada" });
    const link = await this.create("links", { campaign_id: campaign.id, affiliate_id: affiliate.id });
    return { advertiser, campaign, landingPage, affiliate, link };
  }

  /** A token of one owner, in plain. */
  async token(level, levelId) {
    return (await this.create("tokens", { level, ...(levelId !== undefined && { level_id: levelId }) })).token;
  }

  // Visitors.

  async click(parameters, { expect = 302, headers, method } = {}) {
    const path = `/click?${new URLSearchParams(parameters)}`;
    const answer = await this.send({ method, path, headers: { "user-agent": VISITOR, ...headers } });
    expectStatus(answer, expect, path);
    return answer;
  }

  /** Clicks a link and returns the click_id that the landing page is given. */
  async clickId({ campaign, link }, extra = {}, options = {}) {
    const answer = await this.click({ campaign_id: campaign.id, ref_id: link.id, ...extra }, options);
    const id = clickIdIn(answer.location);
    assert.match(id, CLICK_ID);
    return id;
  }

  // Shops.

  postbackPath(parameters) {
    return `/postback?${new URLSearchParams(parameters)}`;
  }

  /** Sends a postback once, whatever comes back. */
  attempt(parameters) {
    return this.send({ path: this.postbackPath(parameters) });
  }

  async postback(parameters, expect = 200) {
    const answer = await this.attempt(parameters);
    expectStatus(answer, expect, this.postbackPath(parameters));
    return answer.json;
  }

  /** Sends a postback as a shop does: again and again until the answer is not that the storage failed. */
  async insist(parameters, { most = 50 } = {}) {
    for (let tries = 1; ; tries++) {
      const answer = await this.attempt(parameters);
      if (answer.status !== 503) return { answer, tries };
      assert.equal(answer.json.reason, "storage_unavailable", answer.text);
      if (tries === most) throw new Error(`still refused after ${tries} tries: ${answer.text}`);
    }
  }
}

export function clickIdIn(location) {
  return new URL(location).searchParams.get("click_id");
}

function expectStatus(answer, expected, what) {
  if (answer.status !== expected) {
    assert.fail(`${what}: expected ${expected}, got ${answer.status} ${answer.location ?? ""} ${answer.text.slice(0, 1000)}`);
  }
}

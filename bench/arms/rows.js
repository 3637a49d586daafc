// The clicks table of `migrations/`, as the JavaScript arms write it: every column, by one statement a page.

const COLUMNS = [
  "namespace",
  "time",
  "page",
  "ordinal",
  "click_id",
  "ref_id",
  "campaign_id",
  "affiliate_id",
  "landing_page_id",
  "uncounted",
  "country",
  "device",
  "os",
  "browser",
  "referrer",
  "user_agent",
  "source",
  "external_click_id",
  "parameters",
  "warnings",
];

export const INSERT_CLICKS = `INSERT INTO clicks (${COLUMNS.join(", ")})
SELECT ${COLUMNS.map((_, i) => `value ->> ${i}`).join(", ")} FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING`;

/** One click as the list that the statement above takes apart. */
export function clickRow(request, { id, campaign, link, values }, page, ordinal) {
  const { headers } = request;
  const agent = headers.get("user-agent");
  const { device, os, browser } = describe(agent ?? "");
  return [
    "demo",
    Date.now(),
    page,
    ordinal,
    id,
    link.id,
    campaign.id,
    link.affiliate,
    1,
    null,
    request.cf?.country ?? null,
    device,
    os,
    browser,
    headers.get("referer"),
    agent,
    values.source ?? null,
    values.external_click_id ?? null,
    JSON.stringify({ sub1: values.sub1 }),
    null,
  ];
}

/** Enough of a user agent for a report's columns. */
function describe(agent) {
  const has = (word) => agent.includes(word);
  const os = has("Android")
    ? "android"
    : has("iPhone") || has("iPad")
      ? "ios"
      : has("Windows")
        ? "windows"
        : has("Mac OS X")
          ? "macos"
          : has("Linux")
            ? "linux"
            : null;
  const browser = has("Edg/")
    ? "edge"
    : has("OPR/")
      ? "opera"
      : has("Firefox/")
        ? "firefox"
        : has("Chrome/")
          ? "chrome"
          : has("Safari/")
            ? "safari"
            : null;
  const device = has("Mobi") ? "mobile" : has("iPad") || has("Tablet") ? "tablet" : "desktop";
  return { device, os, browser };
}

-- The ledger. Every table is STRICT; every id but a namespace's name is an integer per namespace,
-- counted from 1. Times are Unix milliseconds. Money is in minor units of the named currency and
-- stays below 2^53, because D1 binds numbers as doubles. JSON columns hold text that only the
-- code in src/store/ reads. Booleans are 0 or 1.

-- ─── Configuration ──────────────────────────────────────────────────────────────────────────────

CREATE TABLE namespaces (
  name               TEXT    NOT NULL PRIMARY KEY, -- the label before "-tracking"; never changes, click_ids are bound to it
  postback_ref_id    TEXT    NOT NULL DEFAULT 'link' CHECK (postback_ref_id IN ('link', 'affiliate')), -- what ref_id means in a postback
  is_pixels_enabled  INTEGER NOT NULL DEFAULT 0 CHECK (is_pixels_enabled IN (0, 1)), -- cookies are SameSite=None, so that pixels on other sites carry them
  traffic_back_url   TEXT,                         -- where clicks without a destination go, if the campaign has none of its own
  time_zone          TEXT    NOT NULL DEFAULT 'UTC', -- IANA name; reports count days in it
  collect_origins    TEXT    NOT NULL DEFAULT '[]', -- JSON array of origins whose pages may post to /collect
  created_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE hosts (
  hostname    TEXT    NOT NULL PRIMARY KEY,        -- a custom domain, lower case, without port
  namespace   TEXT    NOT NULL REFERENCES namespaces (name),
  created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
  namespace   TEXT    NOT NULL REFERENCES namespaces (name),
  id          INTEGER NOT NULL,
  name        TEXT    NOT NULL,                    -- what the operator calls it
  scopes      TEXT    NOT NULL,                    -- JSON array of read, write, approve, pii
  hash        TEXT    NOT NULL UNIQUE,             -- lower-case hex SHA-256 of the key; the key itself is not kept
  created_at  INTEGER NOT NULL,
  revoked_at  INTEGER,                             -- null while it is valid
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE advertisers (
  namespace   TEXT    NOT NULL REFERENCES namespaces (name),
  id          INTEGER NOT NULL,
  name        TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE campaigns (
  namespace                  TEXT    NOT NULL REFERENCES namespaces (name),
  id                         INTEGER NOT NULL,
  name                       TEXT    NOT NULL,
  advertiser_id              INTEGER NOT NULL,
  state                      TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'archived')), -- paused: no new clicks; archived: no new conversions either
  currency                   TEXT    NOT NULL,     -- ISO 4217; all money of the campaign's conversions is in it
  window_days                INTEGER NOT NULL DEFAULT 30 CHECK (window_days BETWEEN 1 AND 400), -- a click converts for so long
  conversions_per_click      TEXT    NOT NULL DEFAULT 'one' CHECK (conversions_per_click IN ('one', 'per_order')), -- what makes a conversion a repeat
  default_status             TEXT    NOT NULL DEFAULT 'approved' CHECK (default_status IN ('approved', 'pending', 'hold')),
  revenue_type               TEXT    NOT NULL DEFAULT 'fixed' CHECK (revenue_type IN ('cpa', 'cpl', 'fixed', 'cps', 'revshare')), -- what the percentage is of
  revenue_fixed              INTEGER NOT NULL DEFAULT 0, -- minor units
  revenue_percent            INTEGER NOT NULL DEFAULT 0, -- basis points
  payout_type                TEXT    NOT NULL DEFAULT 'fixed' CHECK (payout_type IN ('cpa', 'cpl', 'fixed', 'cps', 'revshare')), -- likewise; cpl makes a lead
  payout_fixed               INTEGER NOT NULL DEFAULT 0, -- minor units
  payout_percent             INTEGER NOT NULL DEFAULT 0, -- basis points
  authentication             TEXT    NOT NULL CHECK (authentication IN ('none', 'token')), -- how postbacks prove themselves
  ip_allow                   TEXT    NOT NULL DEFAULT '[]', -- JSON array of CIDR networks; empty allows all
  ip_deny                    TEXT    NOT NULL DEFAULT '[]', -- JSON array of CIDR networks; stronger than ip_allow
  is_amount_trusted          INTEGER NOT NULL DEFAULT 0 CHECK (is_amount_trusted IN (0, 1)), -- amounts count without any proof of the sender
  is_explicit_money_allowed  INTEGER NOT NULL DEFAULT 0 CHECK (is_explicit_money_allowed IN (0, 1)), -- revenue, payout, conversion_rate, occurred_at may be sent
  is_pixel_allowed           INTEGER NOT NULL DEFAULT 0 CHECK (is_pixel_allowed IN (0, 1)), -- /pixel.gif and /collect may convert
  is_conflict_updated        INTEGER NOT NULL DEFAULT 0 CHECK (is_conflict_updated IN (0, 1)), -- a known key with other money updates instead of 409
  required_parameters        TEXT    NOT NULL DEFAULT '[]', -- JSON array of canonical parameter names that every conversion must bring
  click_id_parameter         TEXT    NOT NULL DEFAULT 'click_id', -- the name under which landing pages get the click_id
  deep_link_hosts            TEXT    NOT NULL DEFAULT '[]', -- JSON array of hosts, or *.host for its subdomains
  deep_link_parameters       TEXT    NOT NULL DEFAULT '{}', -- JSON object: name to template, appended to deep links
  app_schemes                TEXT    NOT NULL DEFAULT '[]', -- JSON array of URL schemes that landing pages may have besides https
  traffic_back_url           TEXT,                 -- where clicks without a destination go
  site_events                TEXT    NOT NULL DEFAULT '{}', -- JSON object: site event name to "initial"
  created_at                 INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, advertiser_id) REFERENCES advertisers (namespace, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE landing_pages (
  namespace    TEXT    NOT NULL,
  id           INTEGER NOT NULL,
  campaign_id  INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  url          TEXT    NOT NULL,                   -- template with macros
  is_default   INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)), -- where clicks without lp go; one per campaign
  state        TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')),
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX landing_pages_of_campaign ON landing_pages (namespace, campaign_id);
CREATE UNIQUE INDEX landing_pages_default ON landing_pages (namespace, campaign_id) WHERE is_default = 1;

CREATE TABLE affiliates (
  namespace   TEXT    NOT NULL REFERENCES namespaces (name),
  id          INTEGER NOT NULL,
  name        TEXT    NOT NULL,
  custom_id   TEXT,                                -- the operator's own number for the affiliate
  state       TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'blocked')),
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX affiliates_custom_id ON affiliates (namespace, custom_id) WHERE custom_id IS NOT NULL;

CREATE TABLE links (
  namespace     TEXT    NOT NULL,
  id            INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967295), -- ref_id; four bytes of the click_id
  campaign_id   INTEGER NOT NULL,                  -- never changes: a click_id names its link, and so its campaign
  affiliate_id  INTEGER NOT NULL,                  -- never changes: a click_id names its link, and so whom to pay
  name          TEXT,
  is_default    INTEGER NOT NULL DEFAULT 0 CHECK (is_default IN (0, 1)), -- what affiliate_id alone means in this campaign
  state         TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- archived links take no clicks; their ids stay valid
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id),
  FOREIGN KEY (namespace, affiliate_id) REFERENCES affiliates (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX links_default ON links (namespace, campaign_id, affiliate_id) WHERE is_default = 1;

CREATE TRIGGER links_keep_their_owner BEFORE UPDATE OF namespace, id, campaign_id, affiliate_id ON links
WHEN old.namespace IS NOT new.namespace OR old.id IS NOT new.id
  OR old.campaign_id IS NOT new.campaign_id OR old.affiliate_id IS NOT new.affiliate_id
BEGIN SELECT RAISE (ABORT, 'a link never changes campaign or affiliate'); END;

CREATE TRIGGER links_are_never_deleted BEFORE DELETE ON links
BEGIN SELECT RAISE (ABORT, 'a link is archived, not deleted'); END;

CREATE TABLE tokens (
  namespace   TEXT    NOT NULL REFERENCES namespaces (name),
  id          INTEGER NOT NULL,
  level       TEXT    NOT NULL CHECK (level IN ('namespace', 'advertiser', 'campaign')), -- the wider one works for the narrower
  level_id    INTEGER NOT NULL DEFAULT 0,          -- the advertiser or campaign; 0 for the namespace's own
  hash        TEXT    NOT NULL,                    -- lower-case hex SHA-256 of the token
  created_at  INTEGER NOT NULL,
  revoked_at  INTEGER,                             -- null while it is valid
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX tokens_hash ON tokens (namespace, hash);

CREATE TABLE idempotency_keys (
  namespace    TEXT    NOT NULL,                   -- empty for the root key
  key          TEXT    NOT NULL,                   -- the caller's Idempotency-Key
  fingerprint  TEXT    NOT NULL,                   -- hash of method, path and body: another request with this key is refused
  request_id   TEXT    NOT NULL,                   -- the request that did the work
  object_id    TEXT,                               -- what it created
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;

-- ─── Clicks ─────────────────────────────────────────────────────────────────────────────────────

-- One row written per click: no rowid, no second index. The primary key is read off the click_id.
CREATE TABLE clicks (
  namespace          TEXT    NOT NULL,
  time               INTEGER NOT NULL,             -- bytes 4–9 of the click_id
  page               INTEGER NOT NULL,             -- bytes 16–21: the random name of the page it was written on
  ordinal            INTEGER NOT NULL,             -- bytes 22–23: its place on that page
  click_id           TEXT    NOT NULL,
  ref_id             INTEGER NOT NULL,
  campaign_id        INTEGER NOT NULL,
  affiliate_id       INTEGER NOT NULL,
  landing_page_id    INTEGER,                      -- null for deep links
  uncounted          TEXT,                         -- why the click is not counted; null if it is
  country            TEXT,                         -- ISO 3166, two letters
  device             TEXT,
  os                 TEXT,
  browser            TEXT,
  referrer           TEXT,                         -- null under Sec-GPC
  user_agent         TEXT,                         -- null under Sec-GPC
  source             TEXT,
  external_click_id  TEXT,                         -- the affiliate's own id of the click
  parameters         TEXT,                         -- JSON object: sub1…sub10, utm_*, unknown ones; inherited by conversions
  warnings           TEXT,                         -- JSON array; null without any
  PRIMARY KEY (namespace, time, page, ordinal)
) STRICT, WITHOUT ROWID;

-- Visits without consent: a number per page of clicks, nothing about the visitor.
CREATE TABLE aggregate_clicks (
  namespace  TEXT    NOT NULL,
  hour       INTEGER NOT NULL,                     -- start of the hour
  ref_id     INTEGER NOT NULL,
  page       INTEGER NOT NULL,                     -- makes a repeated write harmless
  clicks     INTEGER NOT NULL,
  PRIMARY KEY (namespace, hour, ref_id, page)
) STRICT, WITHOUT ROWID;

-- ─── Postbacks and conversions ──────────────────────────────────────────────────────────────────

-- Every request that passed authentication, refused or not, without its secrets.
CREATE TABLE inbox (
  namespace       TEXT    NOT NULL,
  request_id      TEXT    NOT NULL,                -- begins with the time of arrival, so that the key is in time order
  received_at     INTEGER NOT NULL,
  source          TEXT    NOT NULL CHECK (source IN ('postback', 'pixel', 'collect')),
  proof           TEXT    NOT NULL CHECK (proof IN ('nothing', 'address', 'token')), -- how it proved itself; judging again starts from here
  campaign_id     INTEGER,                         -- the campaign it was authenticated for
  parameters      TEXT    NOT NULL,                -- JSON object: canonical name to value, without secrets
  verdict         TEXT    NOT NULL CHECK (verdict IN ('recorded', 'updated', 'duplicate', 'rejected')),
  reason          TEXT,                            -- null unless rejected
  detail          TEXT,                            -- what the sender was told to do
  conversion_id   TEXT,                            -- the conversion that it became or repeated
  judged_at       INTEGER NOT NULL,                -- the last time it was judged
  judgements      INTEGER NOT NULL DEFAULT 1,      -- how often it was judged
  PRIMARY KEY (namespace, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversions (
  namespace      TEXT    NOT NULL,
  conversion_id  TEXT    NOT NULL,                 -- derived from what makes it unique, so the primary key forbids counting twice
  request_id     TEXT    NOT NULL,                 -- the postback that made it
  received_at    INTEGER NOT NULL,
  occurred_at    INTEGER NOT NULL,                 -- when the sender says it happened; otherwise the time of arrival
  source         TEXT    NOT NULL CHECK (source IN ('postback', 'pixel', 'collect')),
  proof          TEXT    NOT NULL CHECK (proof IN ('nothing', 'address', 'token')),
  click_id       TEXT,
  clicked_at     INTEGER,
  ref_id         INTEGER NOT NULL,
  campaign_id    INTEGER NOT NULL,
  affiliate_id   INTEGER NOT NULL,
  event_id       INTEGER NOT NULL DEFAULT 0,       -- 0 is the initial conversion
  order_id       TEXT,
  status         TEXT    NOT NULL CHECK (status IN ('approved', 'pending', 'hold', 'rejected', 'refunded')), -- now
  status_reason  TEXT,                             -- explains the status
  currency       TEXT    NOT NULL,
  amount         INTEGER,                          -- minor units; null if none was sent
  revenue        INTEGER NOT NULL,                 -- minor units
  payout         INTEGER NOT NULL,                 -- minor units
  is_test        INTEGER NOT NULL DEFAULT 0 CHECK (is_test IN (0, 1)), -- of a test click: out of sums and payouts
  is_lead        INTEGER NOT NULL DEFAULT 0 CHECK (is_lead IN (0, 1)), -- paid by cpl: its own column in reports
  click_flags    INTEGER NOT NULL DEFAULT 0,       -- byte 1 of the click_id
  country        TEXT,                             -- of the click
  sent_money     TEXT    NOT NULL,                 -- JSON object: the fields that decide money as first sent; repeats are compared with them
  first_status   TEXT    NOT NULL,                 -- repeats are answered as the first time
  first_revenue  INTEGER NOT NULL,
  first_payout   INTEGER NOT NULL,
  warnings       TEXT    NOT NULL DEFAULT '[]',    -- JSON array: told the first time, told again to repeats
  parameters     TEXT    NOT NULL DEFAULT '{}',    -- JSON object: custom1…10 and unknown ones; never shown to the affiliate
  goal           TEXT,
  comment        TEXT,                             -- shown to the affiliate
  explanation    TEXT    NOT NULL,                 -- JSON object: how status and money came about
  revision       INTEGER NOT NULL DEFAULT 1,       -- grows with every change; a change names the one it saw
  changed_by     TEXT,                             -- the request that changed it last; null while it is as recorded
  PRIMARY KEY (namespace, conversion_id)
) STRICT, WITHOUT ROWID;
-- An order converts once per campaign and event, whatever key the campaign chose.
CREATE UNIQUE INDEX conversions_order ON conversions (namespace, campaign_id, event_id, order_id) WHERE order_id IS NOT NULL;
CREATE INDEX conversions_click ON conversions (namespace, click_id) WHERE click_id IS NOT NULL;
CREATE INDEX conversions_time ON conversions (namespace, received_at);

-- Requests that failed before authentication: only how many, per hour and reason.
CREATE TABLE refusals (
  namespace  TEXT    NOT NULL,                     -- empty if the host names none
  hour       INTEGER NOT NULL,                     -- start of the hour
  reason     TEXT    NOT NULL,
  batch      TEXT    NOT NULL,                     -- random name of the write; makes a repeated write harmless
  requests   INTEGER NOT NULL,
  PRIMARY KEY (namespace, hour, reason, batch)
) STRICT, WITHOUT ROWID;

-- At most 100 of them per campaign and hour as samples (slots 0–99), without secrets.
CREATE TABLE refusal_samples (
  namespace    TEXT    NOT NULL,
  campaign_id  INTEGER NOT NULL,                   -- 0 if none was named
  hour         INTEGER NOT NULL,                   -- start of the hour
  slot         INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 99), -- chosen at random by the request
  received_at  INTEGER NOT NULL,
  reason       TEXT    NOT NULL,
  detail       TEXT    NOT NULL,
  parameters   TEXT    NOT NULL,                   -- JSON object of names to values, cut to 2,000 bytes
  PRIMARY KEY (namespace, campaign_id, hour, slot)
) STRICT, WITHOUT ROWID;

-- Custom event names that /collect has seen and that no campaign maps; at most 200 a namespace.
CREATE TABLE site_event_names (
  namespace   TEXT    NOT NULL,
  name        TEXT    NOT NULL,
  first_seen  INTEGER NOT NULL,
  PRIMARY KEY (namespace, name)
) STRICT, WITHOUT ROWID;

-- ─── Operation ──────────────────────────────────────────────────────────────────────────────────

CREATE TABLE heartbeats (
  name  TEXT    NOT NULL PRIMARY KEY,              -- 'cron'
  at    INTEGER NOT NULL                           -- when it last ran
) STRICT, WITHOUT ROWID;

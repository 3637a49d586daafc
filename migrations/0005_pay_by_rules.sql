-- Payout rules of campaigns, rates of exchange, and the rate that a conversion was converted with.

-- A rule applies if all its limits match; the most specific one pays. The configuration of a
-- campaign holds all that are active, which is why a campaign has at most 500 of these.
CREATE TABLE payouts (
  namespace       TEXT    NOT NULL,
  id              INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967294),
  campaign_id     INTEGER NOT NULL,
  currency        TEXT    NOT NULL,                -- the campaign's, which never changes; payout_fixed and payout_max are in it
  name            TEXT,                            -- what the operator calls it
  affiliate_id    INTEGER NOT NULL DEFAULT 0,      -- only for this affiliate; 0 for all
  coupon          TEXT,                            -- only for conversions by this coupon, in either case; null for all
  is_lifetime     INTEGER NOT NULL DEFAULT 0 CHECK (is_lifetime IN (0, 1)), -- only for customers who belong to an affiliate for life
  event_id        INTEGER CHECK (event_id BETWEEN 0 AND 4294967295), -- only for this event of the campaign, 0 for the initial conversion; null for all
  goal            TEXT,                            -- only for this goal, compared as bytes; null for all
  countries       TEXT    NOT NULL DEFAULT '[]',   -- JSON array of ISO 3166 codes: only for clicks from these; empty for all
  payout_type     TEXT    NOT NULL DEFAULT 'fixed' CHECK (payout_type IN ('cpa', 'cpl', 'fixed', 'cps', 'revshare')), -- what the percentage is of; cpl makes a lead
  payout_fixed    INTEGER NOT NULL DEFAULT 0 CHECK (payout_fixed BETWEEN 0 AND 9007199254740991), -- minor units
  payout_percent  INTEGER NOT NULL DEFAULT 0 CHECK (payout_percent BETWEEN 0 AND 10000), -- basis points
  payout_max      INTEGER CHECK (payout_max BETWEEN 0 AND 9007199254740991), -- minor units, the most per conversion; null for no bound
  default_status  TEXT    CHECK (default_status IN ('approved', 'pending', 'hold')), -- what a conversion starts as; null for the campaign's default
  state           TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- an archived rule applies to nothing new
  created_at      INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payouts_of_campaign ON payouts (namespace, campaign_id) WHERE state = 'active';

-- One unit of from_currency is worth rate units of to_currency. The configuration of a namespace
-- holds all of them, which is why it has at most 500.
CREATE TABLE rates (
  namespace      TEXT    NOT NULL REFERENCES namespaces (name),
  id             INTEGER NOT NULL,
  from_currency  TEXT    NOT NULL,                 -- ISO 4217: what amounts are sent in
  to_currency    TEXT    NOT NULL CHECK (to_currency <> from_currency), -- ISO 4217: what campaigns reckon in
  rate           TEXT    NOT NULL CHECK (rate GLOB '[0-9]*'), -- a decimal number above 0 with up to 10 decimals, as text because a REAL would round it
  valid_from     INTEGER NOT NULL,                 -- from when on, until a later one of the same two currencies
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX rates_valid_from ON rates (namespace, from_currency, to_currency, valid_from);

-- What amount and commission were multiplied by to be in the campaign's currency, a decimal number
-- as text; null if nothing was converted.
ALTER TABLE conversions ADD COLUMN exchange_rate TEXT;

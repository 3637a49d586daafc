-- Caps: how much a campaign, or one affiliate in it, may convert, earn or cost in a day, a month or
-- in all. What was used of them is counted by triggers, in the transaction of each conversion.

-- The configuration of a campaign holds all that are active, which is why it has at most 500.
CREATE TABLE caps (
  namespace          TEXT    NOT NULL,
  id                 INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967295),
  campaign_id        INTEGER NOT NULL,
  currency           TEXT    NOT NULL,             -- the campaign's, which never changes; amount_limit is in it
  affiliate_id       INTEGER NOT NULL DEFAULT 0,   -- of this affiliate alone, instead of the one of all; 0 for all together
  what               TEXT    NOT NULL CHECK (what IN ('conversions', 'payout', 'revenue')), -- what it bounds
  period             TEXT    NOT NULL CHECK (period IN ('day', 'month', 'total')), -- of the namespace's time zone
  conversions_limit  INTEGER CHECK (conversions_limit BETWEEN 1 AND 9007199254740991), -- so many; null for amounts
  amount_limit       INTEGER CHECK (amount_limit BETWEEN 1 AND 9007199254740991), -- minor units; null for conversions
  mode               TEXT    NOT NULL CHECK (mode IN ('hard', 'soft')), -- hard: refuses; soft: what is over it waits as pending
  state              TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- an archived cap bounds nothing
  full_in            TEXT,                         -- the period in which the cron job last found it full: no redirects then; it ends with that period
  created_at         INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id),
  CHECK ((what = 'conversions') = (conversions_limit IS NOT NULL) AND (what = 'conversions') = (amount_limit IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX caps_of_campaign ON caps (namespace, campaign_id) WHERE state = 'active';
-- What the cron job goes through.
CREATE INDEX caps_hard ON caps (namespace) WHERE state = 'active' AND mode = 'hard';

-- What was used: always the sums over the conversions whose `caps` name the place, of those that are
-- neither rejected nor refunded nor tests. Rows for months and for all would be read faster, but each
-- would be one more to write for every conversion.
CREATE TABLE cap_uses (
  namespace     TEXT    NOT NULL,
  campaign_id   INTEGER NOT NULL,
  affiliate_id  INTEGER NOT NULL,                  -- of this affiliate; 0 for all together
  day           TEXT    NOT NULL,                  -- on the calendar of the namespace's time zone: 2026-11-21; months are sums of days
  conversions   INTEGER NOT NULL,                  -- how many count
  payout        INTEGER NOT NULL,                  -- minor units
  revenue       INTEGER NOT NULL,                  -- minor units
  PRIMARY KEY (namespace, campaign_id, affiliate_id, day)
) STRICT, WITHOUT ROWID;

-- JSON array of [affiliate_id, day]: where the conversion is counted, for good. Null where its
-- campaign has no caps; then neither trigger does anything.
ALTER TABLE conversions ADD COLUMN caps TEXT CHECK (caps IS NULL OR json_valid(caps));

-- A repeated insert that does nothing fires no trigger, and an update is repeated at most on a row
-- that is so already. Conversions are never deleted.
CREATE TRIGGER caps_count_conversions AFTER INSERT ON conversions WHEN new.caps IS NOT NULL
BEGIN
  INSERT INTO cap_uses (namespace, campaign_id, affiliate_id, day, conversions, payout, revenue)
    SELECT new.namespace, new.campaign_id, json_each.value ->> 0, json_each.value ->> 1,
      new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0,
      new.payout * (new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0),
      new.revenue * (new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0)
    FROM json_each(new.caps) WHERE true
    ON CONFLICT (namespace, campaign_id, affiliate_id, day) DO UPDATE SET
      conversions = conversions + excluded.conversions, payout = payout + excluded.payout,
      revenue = revenue + excluded.revenue;
END;

CREATE TRIGGER caps_follow_changes AFTER UPDATE OF status, payout, revenue, is_test ON conversions WHEN new.caps IS NOT NULL
BEGIN
  INSERT INTO cap_uses (namespace, campaign_id, affiliate_id, day, conversions, payout, revenue)
    SELECT new.namespace, new.campaign_id, json_each.value ->> 0, json_each.value ->> 1,
      (new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0)
        - (old.status NOT IN ('rejected', 'refunded') AND old.is_test = 0),
      new.payout * (new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0)
        - old.payout * (old.status NOT IN ('rejected', 'refunded') AND old.is_test = 0),
      new.revenue * (new.status NOT IN ('rejected', 'refunded') AND new.is_test = 0)
        - old.revenue * (old.status NOT IN ('rejected', 'refunded') AND old.is_test = 0)
    FROM json_each(new.caps) WHERE true
    ON CONFLICT (namespace, campaign_id, affiliate_id, day) DO UPDATE SET
      conversions = conversions + excluded.conversions, payout = payout + excluded.payout,
      revenue = revenue + excluded.revenue;
END;

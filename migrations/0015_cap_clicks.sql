-- Caps of clicks: how many counted clicks a campaign, or one affiliate in it, may have. Clicks are
-- counted by the cron job, behind the redirects, from the rows of `clicks`.

-- The same table with clicks among what a cap bounds. Nothing refers to it, so that it can be made anew.
CREATE TABLE wider_caps (
  namespace          TEXT    NOT NULL,
  id                 INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967295),
  campaign_id        INTEGER NOT NULL,
  currency           TEXT    NOT NULL,             -- the campaign's, which never changes; amount_limit is in it
  affiliate_id       INTEGER NOT NULL DEFAULT 0,   -- of this affiliate alone, instead of the one of all; 0 for all together
  what               TEXT    NOT NULL CHECK (what IN ('conversions', 'payout', 'revenue', 'clicks')), -- what it bounds
  period             TEXT    NOT NULL CHECK (period IN ('day', 'month', 'total')), -- of the namespace's time zone
  conversions_limit  INTEGER CHECK (conversions_limit BETWEEN 1 AND 9007199254740991), -- so many; null unless it bounds conversions
  amount_limit       INTEGER CHECK (amount_limit BETWEEN 1 AND 9007199254740991), -- minor units; null unless it bounds money
  clicks_limit       INTEGER CHECK (clicks_limit BETWEEN 1 AND 9007199254740991), -- so many; null unless it bounds clicks
  mode               TEXT    NOT NULL CHECK (mode IN ('hard', 'soft')), -- hard: refuses; soft: what is over it waits as pending
  state              TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- an archived cap bounds nothing
  full_in            TEXT,                         -- the period in which the cron job last found it full: no redirects then; it ends with that period
  counted_since      INTEGER,                      -- clicks count from then on; null where it bounds none, and until the cron job has seen it
  created_at         INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id),
  CHECK ((what = 'conversions') = (conversions_limit IS NOT NULL) AND (what = 'clicks') = (clicks_limit IS NOT NULL)
    AND (what IN ('payout', 'revenue')) = (amount_limit IS NOT NULL)),
  CHECK (what <> 'clicks' OR mode = 'hard'),
  CHECK (what = 'clicks' OR counted_since IS NULL)
) STRICT, WITHOUT ROWID;
INSERT INTO wider_caps (namespace, id, campaign_id, currency, affiliate_id, what, period, conversions_limit,
    amount_limit, mode, state, full_in, created_at)
  SELECT namespace, id, campaign_id, currency, affiliate_id, what, period, conversions_limit,
    amount_limit, mode, state, full_in, created_at FROM caps;
DROP TABLE caps;
ALTER TABLE wider_caps RENAME TO caps;
CREATE INDEX caps_of_campaign ON caps (namespace, campaign_id) WHERE state = 'active';
-- What the cron job goes through.
CREATE INDEX caps_hard ON caps (namespace) WHERE state = 'active' AND mode = 'hard';
-- Whose clicks are counted.
CREATE INDEX caps_of_clicks ON caps (namespace, campaign_id, affiliate_id) WHERE what = 'clicks' AND state = 'active';

-- Beside what conversions used; always the sum of the day's rows of `cap_clicks`.
ALTER TABLE cap_uses ADD COLUMN clicks INTEGER NOT NULL DEFAULT 0; -- counted clicks

-- Clicks by slices of five minutes, which no zone's midnight divides. The last ones are recounted
-- every minute; those of some days ago have gone.
CREATE TABLE cap_clicks (
  namespace     TEXT    NOT NULL,
  slice         INTEGER NOT NULL CHECK (slice % 300000 = 0), -- its start
  campaign_id   INTEGER NOT NULL,
  affiliate_id  INTEGER NOT NULL,                  -- of this affiliate; 0 for all together
  day           TEXT    NOT NULL,                  -- on the calendar of the namespace's time zone when it was first counted: 2026-11-21
  clicks        INTEGER NOT NULL,
  PRIMARY KEY (namespace, slice, campaign_id, affiliate_id)
) STRICT, WITHOUT ROWID;

-- One row for each namespace that has active caps of clicks.
CREATE TABLE click_watches (
  namespace      TEXT    NOT NULL PRIMARY KEY,
  counted_until  INTEGER,                          -- all clicks before are counted; null before the first count
  has_new        INTEGER NOT NULL DEFAULT 1 CHECK (has_new IN (0, 1)), -- a cap came since the last count: the whole day is counted again
  CHECK (counted_until IS NOT NULL OR has_new = 1)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER click_caps_begin AFTER INSERT ON caps WHEN new.what = 'clicks' AND new.state = 'active'
BEGIN
  INSERT INTO click_watches (namespace) VALUES (new.namespace) ON CONFLICT (namespace) DO UPDATE SET has_new = 1;
END;

CREATE TRIGGER click_caps_return AFTER UPDATE OF state ON caps
WHEN new.what = 'clicks' AND new.state = 'active' AND old.state <> 'active'
BEGIN
  INSERT INTO click_watches (namespace) VALUES (new.namespace) ON CONFLICT (namespace) DO UPDATE SET has_new = 1;
END;

CREATE TRIGGER click_caps_end AFTER UPDATE OF state ON caps WHEN new.what = 'clicks' AND new.state <> 'active'
BEGIN
  UPDATE caps SET counted_since = NULL WHERE namespace = new.namespace AND id = new.id;
  DELETE FROM click_watches WHERE namespace = new.namespace AND NOT EXISTS (
    SELECT 1 FROM caps WHERE namespace = new.namespace AND what = 'clicks' AND state = 'active');
END;

-- Tests make nobody a customer, so that who is erased is looked for among them by their requests.
CREATE INDEX conversions_tests ON conversions (namespace, is_test) WHERE is_test = 1;

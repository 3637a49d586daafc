-- Rules for clicks that deserve no money. Each is off, holds or rejects; what a conversion of a
-- suspected bot gets at least is fixed (wire.md 3), so that its rule has no word for off.

ALTER TABLE campaigns ADD COLUMN too_fast_action TEXT NOT NULL DEFAULT 'off' CHECK (too_fast_action IN ('off', 'hold', 'reject')); -- of conversions that come sooner after the click than
ALTER TABLE campaigns ADD COLUMN too_fast_seconds INTEGER NOT NULL DEFAULT 10 CHECK (too_fast_seconds BETWEEN 1 AND 86400); -- so many seconds
ALTER TABLE campaigns ADD COLUMN duplicate_click_action TEXT NOT NULL DEFAULT 'off' CHECK (duplicate_click_action IN ('off', 'hold', 'reject')); -- of clicks of a visitor who had clicked the campaign before on the same day
ALTER TABLE campaigns ADD COLUMN ip_cool_down_action TEXT NOT NULL DEFAULT 'off' CHECK (ip_cool_down_action IN ('off', 'hold', 'reject')); -- of conversions from an address that had another within
ALTER TABLE campaigns ADD COLUMN ip_cool_down_minutes INTEGER NOT NULL DEFAULT 60 CHECK (ip_cool_down_minutes BETWEEN 1 AND 43200); -- so many minutes
ALTER TABLE campaigns ADD COLUMN bot_action TEXT NOT NULL DEFAULT 'hold' CHECK (bot_action IN ('hold', 'reject')); -- of clicks of suspected bots
ALTER TABLE campaigns ADD COLUMN data_centre_action TEXT NOT NULL DEFAULT 'off' CHECK (data_centre_action IN ('off', 'hold', 'reject')); -- of clicks out of networks of hosting companies
ALTER TABLE campaigns ADD COLUMN data_centre_networks TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(data_centre_networks)); -- JSON array: such networks besides the known ones, as AS64496
ALTER TABLE campaigns ADD COLUMN self_referral_action TEXT NOT NULL DEFAULT 'off' CHECK (self_referral_action IN ('off', 'hold', 'reject')); -- of customers who are the affiliate

-- The affiliate as a customer of the shop; custom_id is compared as well.
ALTER TABLE affiliates ADD COLUMN own_customer_id TEXT;

-- What the rules need of a click, and only where a rule is on; never an address. Null under Sec-GPC.
ALTER TABLE clicks ADD COLUMN earlier_click TEXT; -- click_id of an earlier click of the same visitor on the campaign and day
ALTER TABLE clicks ADD COLUMN address TEXT;       -- keyed hash of the address, different for every campaign
ALTER TABLE clicks ADD COLUMN asn INTEGER;        -- number of the network (autonomous system) that the address belongs to

-- The first click of each visitor of a day, for finding later ones; forgotten after two days. Begins
-- with the day, so that the cron job finds what is over.
CREATE TABLE visitor_clicks (
  day        INTEGER NOT NULL,                     -- days since 1970-01-01 in UTC
  namespace  TEXT    NOT NULL,
  visitor    TEXT    NOT NULL,                     -- hash of campaign, address and user agent with a key of this day
  time       INTEGER NOT NULL,                     -- of the click
  click_id   TEXT    NOT NULL,
  PRIMARY KEY (day, namespace, visitor)
) STRICT, WITHOUT ROWID;

-- Conversions whose click's row is to be examined: written beside the conversion where a rule that
-- needs the row is on, examined when the row is there.
CREATE TABLE doubts (
  namespace      TEXT    NOT NULL,
  conversion_id  TEXT    NOT NULL,
  campaign_id    INTEGER NOT NULL,
  received_at    INTEGER NOT NULL,                 -- when the conversion was reported
  examined_at    INTEGER,                          -- null until the click was examined or given up
  finding        TEXT,                             -- what was found, in words
  address        TEXT,                             -- the click's; null once the cool-down has stopped the conversion, which then stops no other
  PRIMARY KEY (namespace, conversion_id),
  CHECK ((examined_at IS NULL) = (finding IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX doubts_open ON doubts (received_at) WHERE examined_at IS NULL;
CREATE INDEX doubts_address ON doubts (namespace, campaign_id, address, received_at) WHERE address IS NOT NULL;

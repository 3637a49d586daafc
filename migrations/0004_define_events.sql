-- What a campaign counts after the initial conversion: a first purchase, a renewal.
CREATE TABLE events (
  namespace        TEXT    NOT NULL,
  id               INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967294), -- event_id on the wire; 0 is the initial conversion, the last one stands for numbers beyond four bytes
  campaign_id      INTEGER NOT NULL,
  name             TEXT    NOT NULL,               -- event_name on the wire, compared as bytes
  currency         TEXT    NOT NULL,               -- the campaign's, which never changes
  revenue_type     TEXT    NOT NULL DEFAULT 'fixed' CHECK (revenue_type IN ('cpa', 'cpl', 'fixed', 'cps', 'revshare')), -- what the percentage is of; in place of the campaign's
  revenue_fixed    INTEGER NOT NULL DEFAULT 0,     -- minor units
  revenue_percent  INTEGER NOT NULL DEFAULT 0,     -- basis points
  payout_type      TEXT    NOT NULL DEFAULT 'fixed' CHECK (payout_type IN ('cpa', 'cpl', 'fixed', 'cps', 'revshare')), -- likewise; cpl makes a lead
  payout_fixed     INTEGER NOT NULL DEFAULT 0,     -- minor units
  payout_percent   INTEGER NOT NULL DEFAULT 0,     -- basis points
  repeat           TEXT    NOT NULL DEFAULT 'once' CHECK (repeat IN ('once', 'per_order', 'every_request')), -- what makes an event a repeat
  window_days      INTEGER CHECK (window_days BETWEEN 1 AND 3650), -- so long after the initial conversion it counts; null for ever
  parameters       TEXT    NOT NULL DEFAULT '{}',  -- JSON object: our parameter to the advertiser's name or macro for it
  state            TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- archived: repeats are answered, new ones refused
  created_at       INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX events_of_campaign ON events (namespace, campaign_id);
-- A name means one event; an archived one gives its name free.
CREATE UNIQUE INDEX events_name ON events (namespace, campaign_id, name) WHERE state = 'active';

-- A repeat is answered with the first reply, also after the event was renamed.
ALTER TABLE conversions ADD COLUMN event_name TEXT; -- of event_id when it was recorded; null for the initial conversion

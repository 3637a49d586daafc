-- Connectors: outgoing integrations, and what they have to send. A delivery is written in the same
-- transaction as what it tells of; whoever sends it leases it first.

CREATE TABLE connectors (
  namespace      TEXT    NOT NULL,
  id             INTEGER NOT NULL CHECK (id BETWEEN 1 AND 4294967295),
  name           TEXT    NOT NULL,
  mode           TEXT    NOT NULL DEFAULT 'test' CHECK (mode IN ('enabled', 'test', 'disabled')), -- test: logs what would be sent; disabled: nothing new, what waits is held
  campaign_id    INTEGER NOT NULL DEFAULT 0,       -- of this campaign alone; 0 for all
  affiliate_id   INTEGER NOT NULL DEFAULT 0,       -- belongs to this affiliate, and tells of what credits him alone; 0 for all, then it is the operator's
  events         TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(events)), -- JSON array: names of events that trigger it
  statuses       TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(statuses)), -- JSON array: a conversion's entry into one of these triggers it; empty: that it happens, whatever its status
  delay_seconds  INTEGER NOT NULL DEFAULT 0 CHECK (delay_seconds BETWEEN 0 AND 2592000), -- between the occasion and the first attempt
  webhook        TEXT    CHECK (webhook IS NULL OR json_valid(webhook)), -- JSON object: method, url, format, parameters, headers, body, renamed events
  is_webhook_on  INTEGER NOT NULL DEFAULT 0 CHECK (is_webhook_on IN (0, 1)), -- whether the webhook is sent; it keeps its configuration while it is off
  pixel          TEXT    CHECK (pixel IS NULL OR json_valid(pixel)), -- JSON object: code, is_sandboxed
  is_pixel_on    INTEGER NOT NULL DEFAULT 0 CHECK (is_pixel_on IN (0, 1)), -- likewise the pixel
  approval       TEXT    CHECK (approval IS NULL OR json_valid(approval)), -- JSON object: hash of code and mode, at, key_id; the pixel fires only while the hash is its own
  matching       TEXT    CHECK (matching IS NULL OR json_valid(matching)), -- JSON object: parameter, source_parameter, source_value, model, window_days
  secret         INTEGER NOT NULL DEFAULT 1,       -- number of the signing secret, which follows from it and a key of CLICK_KEYS
  rotated_at     INTEGER,                          -- since when that number is in use; until a day later the one before signs as well
  created_at     INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  CHECK (is_webhook_on = 0 OR webhook IS NOT NULL),
  CHECK (is_pixel_on = 0 OR pixel IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- The outbox and the log of what became of it.
CREATE TABLE deliveries (
  namespace      TEXT    NOT NULL,
  delivery_id    TEXT    NOT NULL,                 -- derived of connector, occasion and kind; begins with the time of the occasion; the webhook-id
  connector_id   INTEGER NOT NULL, -- whose it is
  kind           TEXT    NOT NULL CHECK (kind IN ('webhook', 'pixel')), -- webhook: sent by Backtrail; pixel: fired by the visitor's browser
  conversion_id  TEXT,                             -- what it tells of; null for site events that became none
  revision       INTEGER,                          -- of the conversion, by which its transitions are told apart
  event_name     TEXT    NOT NULL,                 -- before renaming
  happened_at    INTEGER NOT NULL,                 -- when the event happened; windows of matching end here
  click_id       TEXT,                             -- Backtrail's own
  visitor        TEXT,                             -- of the site script, where a browser reported it
  is_forced      INTEGER NOT NULL DEFAULT 0 CHECK (is_forced IN (0, 1)), -- sent although the connector is in test mode
  "values"       TEXT    NOT NULL CHECK (json_valid("values")), -- JSON object: values of macros that were known at the occasion
  personal       TEXT    CHECK (personal IS NULL OR json_valid(personal)), -- JSON object: the same, personal ones; null once it has ended
  state          TEXT    NOT NULL CHECK (state IN ('waiting', 'delivered', 'exhausted', 'cancelled', 'logged', 'no_click_match', 'no_browser', 'not_approved')),
  due_at         INTEGER,                          -- not before; while it is leased, when the lease ends; null unless waiting
  lease          TEXT,                             -- random name of the sender who has it; null while nobody has
  attempts       INTEGER NOT NULL DEFAULT 0,       -- made so far
  created_at     INTEGER NOT NULL,
  ended_at       INTEGER,                          -- null while waiting
  PRIMARY KEY (namespace, delivery_id),
  CHECK ((state = 'waiting') = (due_at IS NOT NULL) AND (state = 'waiting') = (ended_at IS NULL)),
  CHECK ((conversion_id IS NULL) = (revision IS NULL))
) STRICT, WITHOUT ROWID;
-- By connector, so that each gets its share whatever waits for the others.
CREATE INDEX deliveries_due ON deliveries (namespace, connector_id, due_at) WHERE due_at IS NOT NULL;

-- Each attempt, also those that a connector in test mode only shows.
CREATE TABLE attempts (
  namespace      TEXT    NOT NULL,
  delivery_id    TEXT    NOT NULL, -- of which delivery
  attempt        INTEGER NOT NULL,                 -- counted from 1
  at             INTEGER NOT NULL, -- when it began
  method         TEXT    NOT NULL, -- of the request
  url            TEXT    NOT NULL,                 -- in full; secrets and personal values are masked
  status         INTEGER,                          -- code of the answer; null if there was none
  duration_ms    INTEGER, -- until the answer, or until it was given up; null if nothing was sent
  error          TEXT,                             -- why it failed; null if it did not
  answer         TEXT,                             -- the first 1,024 bytes
  PRIMARY KEY (namespace, delivery_id, attempt)
) STRICT, WITHOUT ROWID;

-- Receivers in trouble, by namespace, so that nobody can pause those of others.
CREATE TABLE receivers (
  namespace      TEXT    NOT NULL,
  host           TEXT    NOT NULL,                 -- with its port where it is not the scheme's
  failures       INTEGER NOT NULL,                 -- in a row
  failing_since  INTEGER NOT NULL, -- when the first of them was
  paused_until   INTEGER NOT NULL,                 -- nothing is sent before; then one attempt finds out
  PRIMARY KEY (namespace, host)
) STRICT, WITHOUT ROWID;

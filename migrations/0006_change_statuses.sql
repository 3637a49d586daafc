-- What became of a conversion after it was recorded: transitions, new reasons, refunds, other money.
CREATE TABLE changes (
  namespace      TEXT    NOT NULL,
  conversion_id  TEXT    NOT NULL,
  revision       INTEGER NOT NULL CHECK (revision > 1), -- of the conversion afterwards; a repeated write meets its own row
  at             INTEGER NOT NULL,                 -- when it was decided
  request_id     TEXT    NOT NULL,                 -- the postback (req_…, in the inbox) or the call of the API (op_…)
  key_id         INTEGER,                          -- the API key that called; null for postbacks, 0 for the root key
  what           TEXT    NOT NULL CHECK (what IN ('status', 'reason', 'refund', 'money')), -- what was changed
  before         TEXT    NOT NULL CHECK (json_valid(before)), -- JSON object: status, reason and money until then, in minor units
  after          TEXT    NOT NULL CHECK (json_valid(after)),  -- the same from then on
  reason         TEXT,
  PRIMARY KEY (namespace, conversion_id, revision)
) STRICT, WITHOUT ROWID;

-- JSON object: the whole revenue and payout before any refund, and each refund. Null without any.
ALTER TABLE conversions ADD COLUMN refunds TEXT CHECK (refunds IS NULL OR json_valid(refunds));

-- JSON object: an advertiser's word for a status (in small letters) to the status it stands for.
ALTER TABLE campaigns ADD COLUMN status_words TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(status_words));

-- Postbacks may be signed (wire.md 7), and tokens may be of one event.
--
-- Four columns learn a word. A CHECK cannot be altered, and rebuilding `campaigns` would have to
-- name every column that any migration before this one has added, and to hold off the foreign keys
-- of every child. A column with its own CHECK can be dropped, though: so a new one takes the values
-- over, the old one goes with its CHECK, and the new one gets its name. No other column, child,
-- index or trigger is touched; only an index over the column itself has to be made again.
--
-- A column that is added NOT NULL needs a default that its own CHECK passes. Each is the word that
-- lets the least through, and no statement relies on it.

ALTER TABLE campaigns ADD COLUMN proof_wanted TEXT NOT NULL DEFAULT 'hmac' CHECK (proof_wanted IN ('none', 'token', 'hmac')); -- how postbacks prove themselves
UPDATE campaigns SET proof_wanted = authentication;
ALTER TABLE campaigns DROP COLUMN authentication;
ALTER TABLE campaigns RENAME COLUMN proof_wanted TO authentication;

ALTER TABLE inbox ADD COLUMN proved_by TEXT NOT NULL DEFAULT 'nothing' CHECK (proved_by IN ('nothing', 'address', 'token', 'signature')); -- how it proved itself; judging again starts from here
UPDATE inbox SET proved_by = proof;
ALTER TABLE inbox DROP COLUMN proof;
ALTER TABLE inbox RENAME COLUMN proved_by TO proof;

ALTER TABLE conversions ADD COLUMN proved_by TEXT NOT NULL DEFAULT 'nothing' CHECK (proved_by IN ('nothing', 'address', 'token', 'signature')); -- how the postback that made it proved itself
UPDATE conversions SET proved_by = proof;
ALTER TABLE conversions DROP COLUMN proof;
ALTER TABLE conversions RENAME COLUMN proved_by TO proof;

DROP INDEX tokens_owner;
ALTER TABLE tokens ADD COLUMN owner TEXT NOT NULL DEFAULT 'event' CHECK (owner IN ('namespace', 'advertiser', 'campaign', 'event')); -- the wider one works for the narrower
UPDATE tokens SET owner = level;
ALTER TABLE tokens DROP COLUMN level;
ALTER TABLE tokens RENAME COLUMN owner TO level;
CREATE INDEX tokens_owner ON tokens (namespace, level, level_id) WHERE revoked_at IS NULL;

-- With what the postbacks of a campaign are signed. The secret itself is not here: it follows from
-- this row and from a key of CLICK_KEYS, so that whoever reads the ledger cannot sign.
CREATE TABLE signing_secrets (
  namespace    TEXT    NOT NULL,
  id           INTEGER NOT NULL,
  campaign_id  INTEGER NOT NULL,
  derivation   TEXT    NOT NULL CHECK (derivation GLOB '[0-9]*:?*'), -- number of the key of CLICK_KEYS, a colon, a random text
  created_at   INTEGER NOT NULL,
  revoked_at   INTEGER,                            -- null while it is valid
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX signing_secrets_owner ON signing_secrets (namespace, campaign_id) WHERE revoked_at IS NULL;

-- Copies of configuration that could neither follow an edit nor be removed, because KV did not
-- answer (a free plan's daily writes are soon used up). The cron job removes them, after which
-- the next reader asks the ledger.
CREATE TABLE stale_copies (
  key       TEXT    NOT NULL PRIMARY KEY,          -- of the copy in KV
  noted_at  INTEGER NOT NULL                       -- when an edit could not reach it
) STRICT, WITHOUT ROWID;

-- Request bins: what was sent to an address such as bin:NAME. For trying connectors out, so that little of
-- it is kept, and for a day.
CREATE TABLE bin_requests (
  namespace TEXT    NOT NULL,
  bin       TEXT    NOT NULL, -- its name
  at        INTEGER NOT NULL, -- when the request was sent
  name      TEXT    NOT NULL, -- random
  method    TEXT    NOT NULL, -- of the request
  url       TEXT    NOT NULL, -- in full
  headers   TEXT    NOT NULL CHECK (json_valid(headers)), -- JSON array of names and values
  body      TEXT,             -- null for a GET
  status    INTEGER NOT NULL, -- with which it was answered
  masked    TEXT    NOT NULL CHECK (json_valid(masked)), -- JSON object: url, and where there are personal values headers and body, for who may not see them
  PRIMARY KEY (namespace, bin, at, name)
) STRICT, WITHOUT ROWID;
-- For removing what is a day old, whose bin nobody uses any more.
CREATE INDEX bin_requests_at ON bin_requests (at);

-- The highest number of a removed connector. Numbers are not given again: secrets follow from them, and
-- the log names them.
CREATE TABLE removed_connectors (
  namespace TEXT    NOT NULL PRIMARY KEY,
  id        INTEGER NOT NULL -- of the connector
) STRICT, WITHOUT ROWID;

CREATE TRIGGER connector_removed AFTER DELETE ON connectors BEGIN
  INSERT INTO removed_connectors (namespace, id) VALUES (old.namespace, old.id)
  ON CONFLICT (namespace) DO UPDATE SET id = MAX(id, excluded.id);
END;

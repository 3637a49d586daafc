-- What the site script tells of visitors who allow it: with which click ids they arrived, and what
-- shops say of who they are.

-- Each arrival of a visitor with a click id of any platform, Backtrail's among them.
CREATE TABLE touches (
  namespace    TEXT    NOT NULL,
  visitor      TEXT    NOT NULL CHECK (length(visitor) = 32), -- random, of the shop's own cookie: 32 hexadecimal digits
  parameter    TEXT    NOT NULL,                   -- of the landing page's address; empty for Backtrail's own clicks, _fbc for the cookie of that name
  value        TEXT    NOT NULL CHECK (length(value) BETWEEN 1 AND 512), -- the click id
  at           INTEGER NOT NULL,                   -- when the visitor last arrived with it; of Backtrail's own, when the click was
  sources      TEXT    NOT NULL DEFAULT '{}' CHECK (json_valid(sources)), -- JSON object: those parameters of the address that connectors ask the source of
  recorded_at  INTEGER NOT NULL,                   -- when it was first reported
  PRIMARY KEY (namespace, visitor, parameter, value)
) STRICT, WITHOUT ROWID;
-- Who brought a click of Backtrail's, the first of them first.
CREATE INDEX touches_own ON touches (namespace, value, recorded_at) WHERE parameter = '';
-- What is to be forgotten, in all namespaces.
CREATE INDEX touches_time ON touches (at);

-- What a shop has said of who a visitor is, where a connector asks for it.
CREATE TABLE visitors (
  namespace    TEXT    NOT NULL,
  visitor      TEXT    NOT NULL CHECK (length(visitor) = 32), -- as in touches
  contact      TEXT    NOT NULL CHECK (json_valid(contact)), -- JSON object: names of personal macros and their values
  kept_at      INTEGER NOT NULL,                   -- when it was last said; it is forgotten 30 days later
  PRIMARY KEY (namespace, visitor)
) STRICT, WITHOUT ROWID;
CREATE INDEX visitors_time ON visitors (kept_at);

-- Whether anything that the connector sends names a person.
ALTER TABLE connectors ADD COLUMN is_personal INTEGER GENERATED ALWAYS AS (
  COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{EMAIL*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{PHONE*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{BIRTHDAY*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{FIRST_NAME*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{LAST_NAME*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{GENDER*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{ZIP*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{CITY*'
  OR COALESCE(webhook, '') || COALESCE(pixel, '') GLOB '*{{COUNTRY*'
) VIRTUAL;

-- What a namespace's copy says of its connectors: by which click ids they recognise visitors, and
-- whether one has a pixel or names persons.
CREATE INDEX connectors_matching ON connectors (namespace) WHERE matching IS NOT NULL AND mode <> 'disabled';
CREATE INDEX connectors_pixel ON connectors (namespace) WHERE is_pixel_on = 1 AND mode <> 'disabled';
CREATE INDEX connectors_personal ON connectors (namespace) WHERE is_personal = 1 AND mode <> 'disabled';

-- Pixels that wait for a visitor: for the one who reported the event, else for whoever brought the click.
CREATE INDEX pixels_of_visitor ON deliveries (namespace, visitor)
  WHERE kind = 'pixel' AND state = 'waiting' AND visitor IS NOT NULL;
CREATE INDEX pixels_of_click ON deliveries (namespace, click_id)
  WHERE kind = 'pixel' AND state = 'waiting' AND visitor IS NULL AND click_id IS NOT NULL;

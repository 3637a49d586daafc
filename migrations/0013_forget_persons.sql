-- Erasing persons: what is left so that nobody comes back, and what a long erasure has yet to do.

-- Whom a namespace has forgotten. It leads to nobody: of a click the end of its click_id, which is
-- its MAC, and of a customer a hash with a key of CLICK_KEYS.
CREATE TABLE erased_persons (
  namespace  TEXT    NOT NULL,
  person     TEXT    NOT NULL CHECK (length(person) IN (16, 32)), -- characters 33–48 of a click_id, or 32 hexadecimal digits of a customer
  erased_at  INTEGER NOT NULL,                     -- when the person was first erased
  PRIMARY KEY (namespace, person)
) STRICT, WITHOUT ROWID;

-- What belongs to persons who are being erased. All of it goes when the last of it is done.
CREATE TABLE erasing (
  namespace  TEXT    NOT NULL,
  root       TEXT    NOT NULL,                     -- the person who was named, as kind:id
  kind       TEXT    NOT NULL CHECK (kind IN ('click', 'conversion', 'customer')), -- of what belongs to the person
  id         TEXT    NOT NULL,                     -- click_id, conversion_id or customer_id
  is_done    INTEGER NOT NULL DEFAULT 0 CHECK (is_done IN (0, 1)), -- kept until all is done, so that nothing is done twice
  PRIMARY KEY (namespace, root, kind, id)
) STRICT, WITHOUT ROWID;

-- A click that is written late, from memory or from a page kept aside, is left out.
CREATE TRIGGER clicks_bring_nobody_back BEFORE INSERT ON clicks
WHEN EXISTS (SELECT 1 FROM erased_persons WHERE namespace = new.namespace AND person = substr(new.click_id, 33))
BEGIN SELECT RAISE (IGNORE); END;

CREATE TRIGGER visitors_bring_nobody_back BEFORE INSERT ON visitor_clicks
WHEN EXISTS (SELECT 1 FROM erased_persons WHERE namespace = new.namespace AND person = substr(new.click_id, 33))
BEGIN SELECT RAISE (IGNORE); END;

-- What names a customer, and is not among his conversions: refused, or from whom anybody could be.
CREATE INDEX inbox_named_customer ON inbox (namespace, parameters ->> 'customer_id')
  WHERE parameters ->> 'customer_id' IS NOT NULL AND (verdict = 'rejected' OR proof = 'nothing');

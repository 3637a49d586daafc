-- Test clicks: those of a test link, and those by an address that an operator had signed.

ALTER TABLE links ADD COLUMN kind TEXT NOT NULL DEFAULT 'ordinary' CHECK (kind IN ('ordinary', 'test') AND (kind = 'ordinary' OR is_default = 0)); -- every click of a test link is a test, so that it stands for no affiliate; never changes
CREATE TRIGGER links_keep_their_kind BEFORE UPDATE OF kind ON links WHEN old.kind IS NOT new.kind
BEGIN SELECT RAISE (ABORT, 'a link never becomes a test, nor ceases to be one'); END;

-- The same constraint as before, but a test takes no order's place: the real sale of it still counts.
DROP INDEX conversions_order;
CREATE UNIQUE INDEX conversions_order ON conversions (namespace, order_id, campaign_id, event_id, is_test) WHERE order_id IS NOT NULL;

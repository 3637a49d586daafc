-- The story of a click, an order or a conversion is told from the inbox. What was recorded is found
-- by the request_id of its conversion, so these indexes hold only what was not: a plain conversion
-- writes no row in any of them.

-- JSON array of objects (at, verdict, reason, detail): what the postback was told before it was
-- judged again, the oldest first, at most 20. Null while it was judged once.
ALTER TABLE inbox ADD COLUMN earlier_verdicts TEXT CHECK (earlier_verdicts IS NULL OR json_valid(earlier_verdicts));

-- What repeated or changed a conversion.
CREATE INDEX inbox_repeats ON inbox (namespace, conversion_id) WHERE verdict IN ('duplicate', 'updated');
-- What was refused, in order of time, with what judging again filters by.
CREATE INDEX inbox_refused ON inbox (namespace, request_id, reason, campaign_id) WHERE verdict = 'rejected';
-- What was refused of a click, and of an order.
CREATE INDEX inbox_refused_click ON inbox (namespace, parameters ->> 'click_id')
  WHERE verdict = 'rejected' AND parameters ->> 'click_id' IS NOT NULL;
CREATE INDEX inbox_refused_order ON inbox (namespace, COALESCE(parameters ->> 'order_id', parameters ->> 'parent_order_id'))
  WHERE verdict = 'rejected' AND COALESCE(parameters ->> 'order_id', parameters ->> 'parent_order_id') IS NOT NULL;

-- The same constraint as before, its columns in another order: an order is asked for without its
-- campaign and event as well.
DROP INDEX conversions_order;
CREATE UNIQUE INDEX conversions_order ON conversions (namespace, order_id, campaign_id, event_id) WHERE order_id IS NOT NULL;

-- An event looks for the initial conversion of its click, and a click may have thousands of events
-- (renewals): with the event in the index only that one is read, not all that the click has.
DROP INDEX conversions_click;
CREATE INDEX conversions_click ON conversions (namespace, click_id, event_id) WHERE click_id IS NOT NULL;

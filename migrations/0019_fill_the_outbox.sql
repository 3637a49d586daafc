-- What fires is read by whose it is; an affiliate may have connectors among those of thousands.
CREATE INDEX connectors_of ON connectors (namespace, affiliate_id) WHERE mode <> 'disabled';

-- What was not asked for by a conversion is found by its click when a person is erased. Deliveries of
-- conversions are found by their time, which stands in the name of the request; an index would be
-- written with each of them.
CREATE INDEX deliveries_of_click ON deliveries (namespace, click_id) WHERE conversion_id IS NULL AND click_id IS NOT NULL;

-- By which keys site events of a name came, as macros name them: what a connector can use.
CREATE TABLE event_keys (
  namespace TEXT NOT NULL,
  name      TEXT NOT NULL, -- of the event
  key       TEXT NOT NULL, -- the name of its macro
  PRIMARY KEY (namespace, name, key)
) STRICT, WITHOUT ROWID;

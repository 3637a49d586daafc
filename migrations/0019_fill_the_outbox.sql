-- What fires is read by whose it is; an affiliate may have connectors among those of thousands.
CREATE INDEX connectors_of ON connectors (namespace, affiliate_id) WHERE mode <> 'disabled';

-- What was not asked for by a conversion is found by its click when a person is erased. Deliveries of
-- conversions are found by their time, which stands in the name of the request; an index would be
-- written with each of them.
CREATE INDEX deliveries_of_click ON deliveries (namespace, click_id) WHERE conversion_id IS NULL AND click_id IS NOT NULL;

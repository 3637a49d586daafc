-- What the sender writes down about connectors.

ALTER TABLE connectors ADD COLUMN note TEXT; -- why Backtrail itself disabled it; null if it did not
ALTER TABLE connectors ADD COLUMN secret_key INTEGER; -- number of the key of CLICK_KEYS that its signing secret follows from; null for the lowest there is
ALTER TABLE connectors ADD COLUMN former_secret_key INTEGER; -- the same of the secret before
ALTER TABLE deliveries ADD COLUMN replayed_after INTEGER NOT NULL DEFAULT 0; -- attempts that were made when it was last replayed; the schedule begins anew behind them

-- The table of the one-insert control; the other arms use the project's own migrations.
CREATE TABLE postbacks (campaign_id INTEGER NOT NULL, order_id TEXT NOT NULL, click_id TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL, received_at INTEGER NOT NULL, PRIMARY KEY (campaign_id, order_id)) STRICT, WITHOUT ROWID;

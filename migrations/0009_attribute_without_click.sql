-- Whom to credit without a click: by a coupon, by a customer for life, by naming link or affiliate.

ALTER TABLE campaigns ADD COLUMN attribution_order TEXT NOT NULL DEFAULT '["click_id","coupon","customer_id"]' CHECK (json_valid(attribution_order)); -- JSON array of parameters that say whom to credit, the strongest first; one that is not among them credits nobody
ALTER TABLE campaigns ADD COLUMN is_customer_required INTEGER NOT NULL DEFAULT 0 CHECK (is_customer_required IN (0, 1)); -- every purchase must name its customer, and the first one say new_customer=true

-- A code that belongs to an affiliate. It credits by one of the affiliate's links, as everything does.
CREATE TABLE coupons (
  namespace     TEXT    NOT NULL,
  id            INTEGER NOT NULL,
  campaign_id   INTEGER NOT NULL,
  affiliate_id  INTEGER NOT NULL,
  ref_id        INTEGER NOT NULL,                  -- the affiliate's default link of the campaign when the coupon was made
  code          TEXT    NOT NULL COLLATE NOCASE,   -- as it is printed; ASCII letters are the same in either case
  starts_at     INTEGER,                           -- valid from then on; null for always
  ends_at       INTEGER CHECK (ends_at > starts_at), -- valid until before then; null for ever
  state         TEXT    NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')), -- an archived one credits nothing new, and gives its code free
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id),
  FOREIGN KEY (namespace, affiliate_id) REFERENCES affiliates (namespace, id),
  FOREIGN KEY (namespace, ref_id) REFERENCES links (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX coupons_code ON coupons (namespace, campaign_id, code) WHERE state = 'active';

-- A customer as an advertiser calls him, and to whom he belongs for life in a campaign.
CREATE TABLE customers (
  namespace     TEXT    NOT NULL,
  id            INTEGER NOT NULL,
  campaign_id   INTEGER NOT NULL,
  customer_id   TEXT    NOT NULL,                  -- the merchant's number of the customer; may be an address of e-mail
  affiliate_id  INTEGER NOT NULL DEFAULT 0,        -- who is credited for his purchases; 0 for nobody
  ref_id        INTEGER NOT NULL DEFAULT 0 CHECK ((ref_id = 0) = (affiliate_id = 0)), -- by which link; 0 for nobody
  created_at    INTEGER NOT NULL,
  PRIMARY KEY (namespace, id),
  FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX customers_customer_id ON customers (namespace, customer_id, campaign_id);

-- Whose a conversion is. A row for each conversion that named its customer, and none for others.
CREATE TABLE conversion_customers (
  namespace      TEXT    NOT NULL,
  customer_id    TEXT    NOT NULL,                 -- the merchant's number of the customer
  campaign_id    INTEGER NOT NULL,
  event_id       INTEGER NOT NULL,                 -- of the conversion; 0 for the initial one
  conversion_id  TEXT    NOT NULL,
  PRIMARY KEY (namespace, customer_id, campaign_id, event_id, conversion_id)
) STRICT, WITHOUT ROWID;

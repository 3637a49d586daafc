//! The resources that operators manage. A new field is a line here and a column in a migration.

use super::resource::{Bound, Entry, Field, Item, Kind, Removal, Resource};

const ID: Field = Field::shown("id", Kind::Count(1, i64::MAX));
const CREATED_AT: Field = Field::shown("created_at", Kind::Time);
const REVOKED_AT: Field = Field::shown("revoked_at", Kind::Time);
const NAME: Field = Field::required("name", Kind::Name);
const MONEY_TYPE: Kind = Kind::Choice(&["cpa", "cpl", "fixed", "cps", "revshare"]);
const LIVE: Kind = Kind::Choice(&["active", "archived"]);
/// `domain::attribution::DEFAULT_ORDER` as it is stored.
const DEFAULT_ORDER: &str = r#"["click_id","coupon","customer_id"]"#;
const ACTION: Kind = Kind::Choice(&["off", "hold", "reject"]);

/// One customer of the installation; only the root key creates them.
pub static NAMESPACES: Resource = Resource {
    key: "name",
    scope: "name",
    ..Resource::numbered(
        "namespaces",
        "namespace",
        &[
            Field::required("name", Kind::NamespaceName).once(),
            Field::text("postback_ref_id", Kind::Choice(&["link", "affiliate"]), "link"),
            Field::number("is_pixels_enabled", Kind::Flag, 0),
            Field::nullable("traffic_back_url", Kind::TrafficBack),
            Field::text("time_zone", Kind::TimeZone, "UTC"),
            Field::text("collect_origins", Kind::List(Item::Origin), "[]"),
            CREATED_AT,
        ],
    )
};

/// Custom domains.
pub static HOSTS: Resource = Resource {
    key: "hostname",
    removal: Removal::Deleted,
    ..Resource::numbered(
        "hosts",
        "host",
        &[Field::required("hostname", Kind::Hostname).once(), CREATED_AT],
    )
};

/// Keys of the API.
pub static KEYS: Resource = Resource {
    removal: Removal::Revoked,
    ..Resource::numbered(
        "keys",
        "key",
        &[
            ID,
            NAME,
            Field::required("scopes", Kind::List(Item::Scope)),
            Field::nullable("key", Kind::Secret("bt_")).once(),
            CREATED_AT,
            REVOKED_AT,
        ],
    )
};

/// Owners of campaigns.
pub static ADVERTISERS: Resource =
    Resource::numbered("advertisers", "advertiser", &[ID, NAME, CREATED_AT]);

/// What is promoted, and by which rules.
pub static CAMPAIGNS: Resource = Resource::numbered(
    "campaigns",
    "campaign",
    &[
        ID,
        NAME,
        Field::required("advertiser_id", Kind::Reference("advertisers")).once().filter(),
        Field::text("state", Kind::Choice(&["active", "paused", "archived"]), "active").filter(),
        // Before the amounts, which are read in it.
        Field::required("currency", Kind::Currency).once(),
        Field::number("window_days", Kind::Count(1, 400), 30),
        Field::text("conversions_per_click", Kind::Choice(&["one", "per_order"]), "one"),
        Field::text("default_status", Kind::Choice(&["approved", "pending", "hold"]), "approved"),
        Field::text("revenue_type", MONEY_TYPE, "fixed"),
        Field::number("revenue_fixed", Kind::Money, 0),
        Field::number("revenue_percent", Kind::Percent, 0),
        Field::text("payout_type", MONEY_TYPE, "fixed"),
        Field::number("payout_fixed", Kind::Money, 0),
        Field::number("payout_percent", Kind::Percent, 0),
        Field::required("authentication", Kind::Choice(&["none", "token", "hmac"])),
        Field::text("ip_allow", Kind::List(Item::Network), "[]"),
        Field::text("ip_deny", Kind::List(Item::Network), "[]"),
        Field::number("is_amount_trusted", Kind::Flag, 0),
        Field::number("is_explicit_money_allowed", Kind::Flag, 0),
        Field::number("is_pixel_allowed", Kind::Flag, 0),
        Field::number("is_conflict_updated", Kind::Flag, 0),
        Field::text("required_parameters", Kind::List(Item::PostbackParameter), "[]"),
        Field::text("click_id_parameter", Kind::ParameterName, "click_id"),
        Field::text("deep_link_hosts", Kind::List(Item::HostPattern), "[]"),
        Field::text("deep_link_parameters", Kind::Map(Entry::DeepLinkParameter), "{}"),
        Field::text("app_schemes", Kind::List(Item::AppScheme), "[]"),
        Field::nullable("traffic_back_url", Kind::TrafficBack),
        Field::text("site_events", Kind::Map(Entry::SiteEvent), "{}"),
        Field::text("status_words", Kind::Map(Entry::StatusWord), "{}"),
        Field::text("attribution_order", Kind::List(Item::Way), DEFAULT_ORDER),
        Field::number("is_customer_required", Kind::Flag, 0),
        Field::text("too_fast_action", ACTION, "off"),
        Field::number("too_fast_seconds", Kind::Count(1, 86_400), 10),
        Field::text("duplicate_click_action", ACTION, "off"),
        Field::text("ip_cool_down_action", ACTION, "off"),
        Field::number("ip_cool_down_minutes", Kind::Count(1, 43_200), 60),
        Field::text("bot_action", Kind::Choice(&["hold", "reject"]), "hold"),
        Field::text("data_centre_action", ACTION, "off"),
        Field::text("data_centre_networks", Kind::List(Item::NetworkNumber), "[]"),
        Field::text("self_referral_action", ACTION, "off"),
        CREATED_AT,
    ],
);

/// Destinations of campaigns.
pub static LANDING_PAGES: Resource = Resource::numbered(
    "landing-pages",
    "landing page",
    &[
        ID,
        Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
        NAME,
        Field::required("url", Kind::LandingPage),
        Field::nullable("is_default", Kind::Default(&["campaign_id"])),
        Field::text("state", LIVE, "active").filter(),
        CREATED_AT,
    ],
);

/// What campaigns count after the initial conversion.
pub static EVENTS: Resource = Resource::numbered(
    "events",
    "event",
    &[
        ID,
        Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
        Field::required("name", Kind::EventName),
        Field::shown("currency", Kind::CampaignCurrency),
        Field::text("revenue_type", MONEY_TYPE, "fixed"),
        Field::number("revenue_fixed", Kind::Money, 0),
        Field::number("revenue_percent", Kind::Percent, 0),
        Field::text("payout_type", MONEY_TYPE, "fixed"),
        Field::number("payout_fixed", Kind::Money, 0),
        Field::number("payout_percent", Kind::Percent, 0),
        Field::text("repeat", Kind::Choice(&["once", "per_order", "every_request"]), "once"),
        // Renewals come for years, so that it may be longer than a click's.
        Field::nullable("window_days", Kind::Count(1, 3_650)),
        Field::text("parameters", Kind::Map(Entry::EventParameter), "{}"),
        Field::text("state", LIVE, "active").filter(),
        CREATED_AT,
    ],
);

/// Who is credited and paid.
pub static AFFILIATES: Resource = Resource::numbered(
    "affiliates",
    "affiliate",
    &[
        ID,
        NAME,
        Field::nullable("custom_id", Kind::Code).filter(),
        Field::text("state", Kind::Choice(&["active", "blocked"]), "active").filter(),
        Field::nullable("own_customer_id", Kind::Code),
        CREATED_AT,
    ],
);

/// An affiliate's way into a campaign; its id is `ref_id`.
pub static LINKS: Resource = Resource {
    most_at_once: 5_000,
    ..Resource::numbered(
        "links",
        "link",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::required("affiliate_id", Kind::Reference("affiliates")).once().filter(),
            Field::nullable("is_default", Kind::Default(&["campaign_id", "affiliate_id"])),
            Field::text("kind", Kind::Choice(&["ordinary", "test"]), "ordinary").once().filter(),
            Field::text("state", LIVE, "active").filter(),
            Field::nullable("name", Kind::Name),
            CREATED_AT,
        ],
    )
};

/// Codes that credit an affiliate without a click.
pub static COUPONS: Resource = Resource {
    most_at_once: 1_000,
    ..Resource::numbered(
        "coupons",
        "coupon",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::required("affiliate_id", Kind::Reference("affiliates")).once().filter(),
            Field::shown("ref_id", Kind::DefaultLink),
            Field::required("code", Kind::Code).once().filter(),
            Field::nullable("starts_at", Kind::Time),
            Field::nullable("ends_at", Kind::Time),
            Field::text("state", LIVE, "active").filter(),
            CREATED_AT,
        ],
    )
};

/// The customers of campaigns, and to whom they belong for life.
pub static CUSTOMERS: Resource = Resource {
    most_at_once: 1_000,
    ..Resource::numbered(
        "customers",
        "customer",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::required("customer_id", Kind::Code).once().filter(),
            Field::nullable("affiliate_id", Kind::Limit("affiliates")).filter(),
            Field::shown("ref_id", Kind::DefaultLink),
            CREATED_AT,
        ],
    )
};

/// With which postbacks prove themselves.
pub static TOKENS: Resource = Resource {
    removal: Removal::Revoked,
    ..Resource::numbered(
        "tokens",
        "token",
        &[
            ID,
            Field::required(
                "level",
                Kind::Choice(&["namespace", "advertiser", "campaign", "event"]),
            )
            .once()
            .filter(),
            Field::nullable("level_id", Kind::TokenOwner).once().filter(),
            Field::nullable("token", Kind::Secret("btp_")).once(),
            CREATED_AT,
            REVOKED_AT,
        ],
    )
};

/// With what the postbacks of a campaign are signed.
pub static SIGNING_SECRETS: Resource = Resource {
    removal: Removal::Revoked,
    ..Resource::numbered(
        "signing-secrets",
        "signing secret",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::nullable("secret", Kind::SigningSecret).once(),
            CREATED_AT,
            REVOKED_AT,
        ],
    )
};

/// What affiliates are paid, by cases. Never deleted, because explanations name them.
///
/// Every rule of a campaign is part of the campaign's configuration, which the redirect reads as
/// well, so there is a bound. Personal rules are no exception: kept with the affiliate's links
/// instead, one edit would have to follow to any number of links.
pub static PAYOUTS: Resource = Resource {
    bound: Some(Bound {
        owner: Some("campaign_id"),
        column: "state",
        is_of_active: true,
        most: 500,
    }),
    ..Resource::numbered(
        "payouts",
        "payout rule",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::shown("currency", Kind::CampaignCurrency),
            Field::nullable("name", Kind::Name),
            Field::nullable("affiliate_id", Kind::Limit("affiliates")).once().filter(),
            Field::nullable("coupon", Kind::Code),
            Field::number("is_lifetime", Kind::Flag, 0),
            Field::nullable("event_id", Kind::Count(0, u32::MAX as i64)),
            Field::nullable("goal", Kind::Code),
            Field::text("countries", Kind::List(Item::Country), "[]"),
            Field::text("payout_type", MONEY_TYPE, "fixed"),
            Field::number("payout_fixed", Kind::Money, 0),
            Field::number("payout_percent", Kind::Percent, 0),
            Field::nullable("payout_max", Kind::Money),
            Field::nullable("default_status", Kind::Choice(&["approved", "pending", "hold"])),
            Field::text("state", LIVE, "active").filter(),
            CREATED_AT,
        ],
    )
};

/// How much campaigns may convert, earn and cost, and how many clicks they take. Never deleted, because explanations name them. All
/// of a campaign's are part of its configuration, as payout rules are.
pub static CAPS: Resource = Resource {
    bound: Some(Bound {
        owner: Some("campaign_id"),
        column: "state",
        is_of_active: true,
        most: 500,
    }),
    ..Resource::numbered(
        "caps",
        "cap",
        &[
            ID,
            Field::required("campaign_id", Kind::Reference("campaigns")).once().filter(),
            Field::shown("currency", Kind::CampaignCurrency),
            Field::nullable("affiliate_id", Kind::Limit("affiliates")).once().filter(),
            Field::required("what", Kind::Choice(&["conversions", "payout", "revenue", "clicks"]))
                .once(),
            Field::required("period", Kind::Choice(&["day", "month", "total"])).once(),
            Field::nullable("conversions_limit", Kind::Count(1, (1 << 53) - 1)),
            Field::nullable("amount_limit", Kind::Money),
            Field::nullable("clicks_limit", Kind::Count(1, (1 << 53) - 1)),
            Field::required("mode", Kind::Choice(&["hard", "soft"])),
            Field::text("state", LIVE, "active").filter(),
            Field::shown("used", Kind::Used),
            Field::shown("full_in", Kind::Code),
            Field::shown("counted_since", Kind::Time),
            CREATED_AT,
        ],
    )
};

/// What amounts in other currencies are converted with.
pub static RATES: Resource = Resource {
    removal: Removal::Deleted,
    bound: Some(Bound { owner: None, column: "rate", is_of_active: false, most: 500 }),
    ..Resource::numbered(
        "rates",
        "rate",
        &[
            ID,
            Field::required("from_currency", Kind::Currency).once().filter(),
            Field::required("to_currency", Kind::Currency).once().filter(),
            Field::required("rate", Kind::Rate),
            Field::required("valid_from", Kind::Time),
            CREATED_AT,
        ],
    )
};

/// Every resource that is managed.
pub static ALL: [&Resource; 16] = [
    &NAMESPACES,
    &HOSTS,
    &KEYS,
    &ADVERTISERS,
    &CAMPAIGNS,
    &LANDING_PAGES,
    &EVENTS,
    &AFFILIATES,
    &LINKS,
    &TOKENS,
    &SIGNING_SECRETS,
    &PAYOUTS,
    &RATES,
    &COUPONS,
    &CUSTOMERS,
    &CAPS,
];

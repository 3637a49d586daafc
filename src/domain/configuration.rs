//! What an operator has set up, as the click and the judge need it: parsed once, ready to use.

use super::attribution::Way;
use super::cap::Cap;
use super::click_id::ClickKeys;
use super::click_rules::ClickRules;
use super::connector::Matching;
use super::cookie::CampaignCookies;
use super::event::{self, Becomes, Event};
use super::exchange::Rate;
use super::money::{Currency, Rule};
use super::namespace::Namespace;
use super::network::Network;
use super::payout::PayoutRule;
use super::signature::SigningKey;
use super::template::Template;
use super::time::DAY_MS;
use super::verdict::words;

/// SHA-256 of a token or key. The plain text is never kept.
pub type SecretHash = [u8; 32];

words! {
    /// What `ref_id` means in a postback (Tracknow's documents use both).
    RefIdMeaning {
        /// The link.
        Link = "link",
        /// The affiliate.
        Affiliate = "affiliate",
    }
}

words! {
    /// Whether a campaign takes clicks and conversions.
    CampaignState {
        /// Both.
        Active = "active",
        /// No new clicks; earlier ones convert.
        Paused = "paused",
        /// Neither.
        Archived = "archived",
    }
}

words! {
    /// What makes a conversion a repeat.
    ConversionsPerClick {
        /// The click: it converts once.
        One = "one",
        /// The order.
        PerOrder = "per_order",
    }
}

words! {
    /// How postbacks of a campaign prove themselves.
    Authentication {
        /// Not at all, or by their address where the campaign lists addresses.
        None = "none",
        /// By a token.
        Token = "token",
        /// By a signature; nothing else does.
        Hmac = "hmac",
    }
}

words! {
    /// The state of a conversion.
    Status {
        /// Counts and is paid.
        Approved = "approved",
        /// Waits for somebody.
        Pending = "pending",
        /// Waits for somebody, and the affiliate does not see it.
        Hold = "hold",
        /// Is not paid.
        Rejected = "rejected",
        /// Was paid and is taken back.
        Refunded = "refunded",
    }
}

/// A namespace's settings.
#[derive(Clone, Debug)]
pub struct NamespaceSettings {
    /// Whose settings these are.
    pub name: Namespace,
    /// What signs and verifies its click_ids.
    pub click_keys: ClickKeys,
    /// What `ref_id` means in its postbacks.
    pub postback_ref_id: RefIdMeaning,
    /// Whether cookies are readable by its pixels on other sites.
    pub is_pixels_enabled: bool,
    /// Where clicks without a destination go, if the campaign does not say.
    pub traffic_back: Option<Template>,
    /// Origins whose pages may post to `/collect`.
    pub collect_origins: Vec<String>,
    /// The operator's own tokens.
    pub token_hashes: Vec<SecretHash>,
    /// Affiliates whose links take no clicks.
    pub blocked_affiliates: Vec<u32>,
    /// What amounts in other currencies are converted with.
    pub rates: Vec<Rate>,
    /// IANA's name of the time zone of its days and months.
    pub time_zone: String,
    /// What its connectors want to know of visitors.
    pub tracking: Tracking,
}

/// What the connectors of a namespace, other than disabled ones, want to know of visitors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// How they recognise their visitors, each way once.
    pub matchings: Vec<Matching>,
    /// Whether any has a pixel that is on.
    pub has_pixels: bool,
    /// Whether any sends something that names a person.
    pub names_persons: bool,
}

/// A destination of a campaign.
#[derive(Clone, Debug)]
pub struct LandingPage {
    /// Its number, `lp` on the wire.
    pub id: u32,
    /// Its address.
    pub template: Template,
    /// The same, naming the click's id in any case.
    pub with_click_id: Template,
    /// Whether clicks without `lp` go there.
    pub is_default: bool,
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Its number.
    pub id: u32,
    /// Whose campaign it is.
    pub advertiser_id: u32,
    /// Whether it takes clicks and conversions.
    pub state: CampaignState,
    /// The currency of all its money.
    pub currency: Currency,
    /// For how long a click converts.
    pub window_days: u32,
    /// What makes a conversion a repeat.
    pub conversions_per_click: ConversionsPerClick,
    /// What a conversion starts as, if nothing says otherwise.
    pub default_status: Status,
    /// What the advertiser pays.
    pub revenue: Rule,
    /// What the affiliate gets where none of `payouts` applies.
    pub payout: Rule,
    /// The payout rules in force.
    pub payouts: Vec<PayoutRule>,
    /// How postbacks prove themselves.
    pub authentication: Authentication,
    /// Networks that may post; empty for all.
    pub ip_allow: Vec<Network>,
    /// Networks that may not.
    pub ip_deny: Vec<Network>,
    /// Whether amounts count without any proof of the sender.
    pub is_amount_trusted: bool,
    /// Whether revenue, payout, conversion_rate and occurred_at may be sent.
    pub is_explicit_money_allowed: bool,
    /// Whether pixel and `/collect` may convert.
    pub is_pixel_allowed: bool,
    /// Whether a known key with other money updates, instead of 409.
    pub is_conflict_updated: bool,
    /// By what conversions are credited, the strongest first; the click is among them.
    pub attribution_order: Vec<Way>,
    /// Whether every purchase must name its customer, and the first one say that it is.
    pub is_customer_required: bool,
    /// Canonical names that every conversion must bring.
    pub required_parameters: Vec<String>,
    /// What its clicks set.
    pub cookies: CampaignCookies,
    /// The name under which landing pages get the click_id.
    pub click_id_parameter: String,
    /// Hosts that deep links may lead to.
    pub deep_link_hosts: Vec<String>,
    /// Appended to deep links.
    pub deep_link_parameters: Vec<(String, Template)>,
    /// Where clicks without a destination go.
    pub traffic_back: Option<Template>,
    /// The destinations.
    pub landing_pages: Vec<LandingPage>,
    /// The campaign's own tokens.
    pub token_hashes: Vec<SecretHash>,
    /// With what its postbacks may be signed.
    pub signing_keys: Vec<SigningKey>,
    /// The advertiser's words for statuses, in small letters, besides those that all know.
    pub status_words: Vec<(String, Status)>,
    /// Site events that become conversions, by name.
    pub site_events: Vec<(String, Becomes)>,
    /// What it counts after the initial conversion, archived ones too.
    pub events: Vec<Event>,
    /// What bounds its conversions.
    pub caps: Vec<Cap>,
    /// What becomes of clicks that deserve no money.
    pub click_rules: ClickRules,
}

impl Campaign {
    /// The window in milliseconds.
    pub fn window_ms(&self) -> u64 {
        u64::from(self.window_days) * DAY_MS
    }

    /// The name of the first site event that becomes an initial conversion.
    pub fn initial_name(&self) -> Option<&str> {
        event::initial_name(&self.site_events)
    }

    /// The landing page of a number, else the default one, else the first.
    pub fn landing_page(&self, id: Option<u32>) -> Option<&LandingPage> {
        let named = id.and_then(|id| self.landing_pages.iter().find(|page| page.id == id));
        named
            .or_else(|| self.landing_pages.iter().find(|page| page.is_default))
            .or_else(|| self.landing_pages.first())
    }
}

/// One affiliate's tracking link for one campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number, `ref_id` on the wire.
    pub id: u32,
    /// The campaign, for ever.
    pub campaign_id: u32,
    /// Whom its clicks credit, for ever.
    pub affiliate_id: u32,
    /// Whether it takes clicks. The ids of an archived link stay valid.
    pub is_active: bool,
    /// Whether its clicks are tests.
    pub is_test: bool,
    /// Marks of the numbers that the affiliate has as a customer
    /// ([`click_rules::customer_mark`](super::click_rules::customer_mark)); 0 for none.
    pub own_customers: [u64; 2],
}

/// What the judge needs of an advertiser.
#[derive(Clone, Debug, Default)]
pub struct Advertiser {
    /// Tokens that work for all its campaigns.
    pub token_hashes: Vec<SecretHash>,
}

//! The rows of the configuration, as SQL reads them and as the copies keep them, and how each
//! becomes a value of the domain.
//!
//! A row reads leniently what an operator once saved under another version: an unreadable entry
//! of a list is left out, because refusing the row would stop a campaign.

use super::attribution_rows::CouponRow;
use super::click_rule_rows::{click_rules, click_rules_column};
use super::connector_rows::ConnectorsRow;
use super::event_rows::{EventRow, rule};
use super::link_row::{LINK, LinkRow};
use super::row::{Read, rows};
use super::touch_rows::{connectors_of_namespace, tracking};
use super::{Row, Statement, attribution_rows, cap_rows, connector_rows, json, payout_rows, unhex};
use crate::app::memory::{Coded, Value, Wanted};
use crate::app::settings::Settings;
use crate::domain::attribution;
use crate::domain::configuration::{
    Advertiser, Authentication, Campaign, CampaignState, ConversionsPerClick, LandingPage,
    NamespaceSettings, RefIdMeaning, SecretHash, Status,
};
use crate::domain::cookie::CampaignCookies;
use crate::domain::event::{Becomes, Event};
use crate::domain::money::Currency;
use crate::domain::namespace::Namespace;
use crate::domain::network::Network;
use crate::domain::signature::{Derivation, SigningKey};
use crate::domain::template;

/// The hashes of an owner's valid tokens as a JSON array.
///
/// Indexes are named wherever a subquery needs one: without statistics SQLite takes the primary
/// key, and so would go through everything of the namespace.
macro_rules! tokens_of {
    ($level:literal, $id:literal) => {
        concat!(
            "(SELECT json_group_array(hash) FROM tokens INDEXED BY tokens_owner WHERE tokens.namespace = ?1 AND level = '",
            $level,
            "' AND level_id = ",
            $id,
            " AND revoked_at IS NULL) AS token_hashes"
        )
    };
}

const NAMESPACE: &str = concat!(
    "SELECT name, postback_ref_id, is_pixels_enabled, traffic_back_url, collect_origins, time_zone, \
     (SELECT json_group_array(json_array(from_currency, to_currency, rate, valid_from)) \
      FROM rates WHERE rates.namespace = ?1) AS rates, \
     (SELECT json_group_array(id) FROM affiliates INDEXED BY affiliates_blocked \
      WHERE namespace = ?1 AND state = 'blocked') AS blocked_affiliates, ",
    connectors_of_namespace!(),
    tokens_of!("namespace", "0"),
    " FROM namespaces WHERE name = ?1"
);
const HOST: &str = "SELECT namespace FROM hosts WHERE hostname = ?1";
const CAMPAIGN: &str = concat!(
    "SELECT id, advertiser_id, state, currency, window_days, conversions_per_click, default_status, \
     revenue_type, revenue_fixed, revenue_percent, payout_type, payout_fixed, payout_percent, authentication, \
     ip_allow, ip_deny, is_amount_trusted, is_explicit_money_allowed, is_pixel_allowed, is_conflict_updated, \
     required_parameters, click_id_parameter, deep_link_hosts, deep_link_parameters, traffic_back_url, site_events, status_words, \
     attribution_order, is_customer_required, ",
    click_rules_column!(),
    ", (SELECT json_group_array(json_object('id', p.id, 'url', p.url, 'is_default', p.is_default)) \
      FROM landing_pages p INDEXED BY landing_pages_of_campaign WHERE p.namespace = ?1 AND p.campaign_id = ?2 AND p.state = 'active') AS landing_pages, \
     (SELECT json_group_array(json_object('id', o.id, 'affiliate_id', o.affiliate_id, 'coupon', o.coupon, \
        'is_lifetime', o.is_lifetime, 'event_id', o.event_id, 'goal', o.goal, 'countries', o.countries, \
        'payout_type', o.payout_type, 'payout_fixed', o.payout_fixed, 'payout_percent', o.payout_percent, \
        'payout_max', o.payout_max, 'default_status', o.default_status)) \
      FROM payouts o INDEXED BY payouts_of_campaign WHERE o.namespace = ?1 AND o.campaign_id = ?2 AND o.state = 'active') AS payouts, \
     (SELECT json_group_array(json_object('id', e.id, 'name', e.name, 'revenue_type', e.revenue_type, \
      'revenue_fixed', e.revenue_fixed, 'revenue_percent', e.revenue_percent, 'payout_type', e.payout_type, \
      'payout_fixed', e.payout_fixed, 'payout_percent', e.payout_percent, 'repeat', e.repeat, \
      'window_days', e.window_days, 'parameters', e.parameters, 'state', e.state, 'token_hashes', \
      (SELECT json_group_array(hash) FROM tokens INDEXED BY tokens_owner WHERE tokens.namespace = ?1 \
       AND level = 'event' AND level_id = e.id AND revoked_at IS NULL) || '')) \
      FROM events e INDEXED BY events_of_campaign WHERE e.namespace = ?1 AND e.campaign_id = ?2) AS events,",
    cap_rows::caps_of_campaign!(),
    tokens_of!("campaign", "?2"),
    ", (SELECT json_group_array(derivation) FROM signing_secrets INDEXED BY signing_secrets_owner \
     WHERE signing_secrets.namespace = ?1 AND campaign_id = ?2 AND revoked_at IS NULL) AS signing_secrets",
    " FROM campaigns WHERE namespace = ?1 AND id = ?2"
);
const DEFAULT_LINK: &str = "SELECT id FROM links \
     WHERE namespace = ?1 AND campaign_id = ?2 AND affiliate_id = ?3 AND is_default = 1";
const ADVERTISER: &str = concat!(
    "SELECT id, ",
    tokens_of!("advertiser", "?2"),
    " FROM advertisers WHERE namespace = ?1 AND id = ?2"
);

/// The statement that reads a value.
pub(crate) fn select(wanted: &Wanted) -> Statement {
    match wanted {
        Wanted::Namespace(name) => Statement::new(NAMESPACE, vec![name.as_str().into()]),
        Wanted::Host(host) => Statement::new(HOST, vec![host.as_str().into()]),
        Wanted::Campaign(name, id) => {
            Statement::new(CAMPAIGN, vec![name.as_str().into(), (*id).into()])
        }
        Wanted::Link(name, id) => Statement::new(LINK, vec![name.as_str().into(), (*id).into()]),
        Wanted::DefaultLink(name, campaign, affiliate) => Statement::new(
            DEFAULT_LINK,
            vec![name.as_str().into(), (*campaign).into(), (*affiliate).into()],
        ),
        Wanted::Advertiser(name, id) => {
            Statement::new(ADVERTISER, vec![name.as_str().into(), (*id).into()])
        }
        Wanted::Coupon(name, campaign, code) => {
            attribution_rows::select_coupon(name, *campaign, code)
        }
        Wanted::CustomId(name, id) => attribution_rows::select_custom_id(name, id),
        Wanted::Connectors(name, affiliate) => connector_rows::select(name, *affiliate),
    }
}

/// The value of a row. `None` for a row that this version cannot read.
pub(crate) fn value(wanted: &Wanted, row: Option<&Row>, settings: &Settings) -> Option<Value> {
    Some(match wanted {
        Wanted::Namespace(name) => {
            Value::Namespace(read(row, |row: NamespaceRow| row.value(name, settings))?)
        }
        Wanted::Host(_) => Value::Host(read(row, |row: HostRow| Namespace::parse(&row.namespace))?),
        Wanted::Campaign(name, _) => {
            Value::Campaign(read(row, |row: CampaignRow| row.value(name, settings))?)
        }
        Wanted::Link(..) => Value::Link(read(row, |row: LinkRow| Some(row.value()))?),
        Wanted::DefaultLink(..) => Value::DefaultLink(read(row, |row: IdRow| Some(row.id))?),
        Wanted::Advertiser(..) => {
            let hashes =
                |row: AdvertiserRow| Some(Advertiser { token_hashes: hashes(&row.token_hashes) });
            Value::Advertiser(read(row, hashes)?)
        }
        Wanted::Coupon(_, _, code) => {
            Value::Coded(read(row, |row: CouponRow| row.value(code).map(Coded::Coupon))?)
        }
        Wanted::CustomId(..) => {
            Value::Coded(read(row, |row: IdRow| Some(Coded::Affiliate(row.id)))?)
        }
        Wanted::Connectors(_, affiliate) => {
            Value::Connectors(read(row, |row: ConnectorsRow| row.value(*affiliate))?)
        }
    })
}

/// No row is no value; a row that cannot be read is an error, which the outer `None` says.
fn read<R: Read, T>(row: Option<&Row>, convert: impl FnOnce(R) -> Option<T>) -> Option<Option<T>> {
    match row {
        None => Some(None),
        Some(row) => R::read(row).and_then(convert).map(Some),
    }
}

rows! {
    struct NamespaceRow {
        postback_ref_id: String,
        is_pixels_enabled: u8,
        traffic_back_url: Option<String>,
        collect_origins: String,
        blocked_affiliates: String,
        rates: Option<String>,
        // Copies that an earlier version wrote have none.
        time_zone: Option<String>,
        matchings: Option<String>,
        has_pixels: Option<u8>,
        names_persons: Option<u8>,
        token_hashes: String,
    }
}

impl NamespaceRow {
    fn value(self, name: &Namespace, settings: &Settings) -> Option<NamespaceSettings> {
        Some(NamespaceSettings {
            name: name.clone(),
            click_keys: settings.keyring.of(name),
            postback_ref_id: RefIdMeaning::from_word(&self.postback_ref_id)?,
            is_pixels_enabled: self.is_pixels_enabled != 0,
            traffic_back: self.traffic_back_url.as_deref().map(template::compile_leniently),
            collect_origins: json::texts(&self.collect_origins),
            token_hashes: hashes(&self.token_hashes),
            blocked_affiliates: serde_json::from_str(&self.blocked_affiliates).unwrap_or_default(),
            rates: payout_rows::rates(self.rates.as_deref())?,
            time_zone: self.time_zone.unwrap_or_else(|| "UTC".to_owned()),
            tracking: tracking(self.matchings.as_deref(), self.has_pixels, self.names_persons),
        })
    }
}

rows! {
    struct HostRow {
        namespace: String,
    }
}

rows! {
    struct IdRow {
        id: u32,
    }
}

rows! {
    struct AdvertiserRow {
        token_hashes: String,
    }
}

rows! {
    struct PageRow {
        id: u32,
        url: String,
        is_default: u8,
    }
}

rows! {
    struct CampaignRow {
        id: u32,
        advertiser_id: u32,
        state: String,
        currency: String,
        window_days: u32,
        conversions_per_click: String,
        default_status: String,
        revenue_type: String,
        revenue_fixed: i64,
        revenue_percent: u32,
        payout_type: String,
        payout_fixed: i64,
        payout_percent: u32,
        authentication: String,
        ip_allow: String,
        ip_deny: String,
        is_amount_trusted: u8,
        is_explicit_money_allowed: u8,
        is_pixel_allowed: u8,
        is_conflict_updated: u8,
        required_parameters: String,
        click_id_parameter: String,
        deep_link_hosts: String,
        deep_link_parameters: String,
        traffic_back_url: Option<String>,
        site_events: String,
        status_words: Option<String>,
        // Copies that an earlier version wrote have neither.
        attribution_order: Option<String>,
        is_customer_required: Option<u8>,
        landing_pages: String,
        // Copies that an earlier version wrote have none of these.
        payouts: Option<String>,
        events: Option<String>,
        caps: Option<String>,
        token_hashes: String,
        // Copies that an earlier version wrote have none.
        signing_secrets: Option<String>,
        click_rules: Option<String>,
    }
}

impl CampaignRow {
    fn value(self, namespace: &Namespace, settings: &Settings) -> Option<Campaign> {
        let pages: Vec<Row> = serde_json::from_str(&self.landing_pages).ok()?;
        let pages: Option<Vec<PageRow>> = pages.iter().map(PageRow::read).collect();
        let pages = pages?.into_iter().map(|page| {
            let template = template::compile_leniently(&page.url);
            LandingPage {
                id: page.id,
                with_click_id: template.with_click_id(&self.click_id_parameter),
                template,
                is_default: page.is_default != 0,
            }
        });
        let landing_pages = pages.collect();
        let events: Vec<Row> = serde_json::from_str(self.events.as_deref().unwrap_or("[]")).ok()?;
        let events: Option<Vec<Event>> =
            events.iter().map(|event| EventRow::read(event)?.value()).collect();
        let deep_link_parameters = json::pairs(&self.deep_link_parameters).into_iter();
        let site_events = json::pairs(&self.site_events).into_iter();
        Some(Campaign {
            id: self.id,
            advertiser_id: self.advertiser_id,
            state: CampaignState::from_word(&self.state)?,
            currency: Currency::parse(&self.currency)?,
            window_days: self.window_days,
            conversions_per_click: ConversionsPerClick::from_word(&self.conversions_per_click)?,
            default_status: Status::from_word(&self.default_status)?,
            revenue: rule(&self.revenue_type, self.revenue_fixed, self.revenue_percent)?,
            payout: rule(&self.payout_type, self.payout_fixed, self.payout_percent)?,
            authentication: Authentication::from_word(&self.authentication)?,
            ip_allow: allow_list(&self.ip_allow)?,
            ip_deny: networks(&self.ip_deny),
            is_amount_trusted: self.is_amount_trusted != 0,
            is_explicit_money_allowed: self.is_explicit_money_allowed != 0,
            is_pixel_allowed: self.is_pixel_allowed != 0,
            is_conflict_updated: self.is_conflict_updated != 0,
            required_parameters: json::texts(&self.required_parameters),
            cookies: CampaignCookies::of(self.id, self.window_days),
            click_id_parameter: self.click_id_parameter,
            deep_link_hosts: json::texts(&self.deep_link_hosts),
            deep_link_parameters: deep_link_parameters
                .map(|(name, value)| (name, template::compile_plain_leniently(&value)))
                .collect(),
            traffic_back: self.traffic_back_url.as_deref().map(template::compile_leniently),
            landing_pages,
            payouts: payout_rows::payouts(self.payouts.as_deref())?,
            token_hashes: hashes(&self.token_hashes),
            signing_keys: signing_keys(
                self.signing_secrets.as_deref(),
                settings,
                namespace,
                self.id,
            ),
            site_events: site_events
                .filter_map(|(name, what)| Some((name, Becomes::parse(&what)?)))
                .collect(),
            events: events?,
            caps: cap_rows::caps(self.caps.as_deref())?,
            status_words: status_words(self.status_words.as_deref()),
            attribution_order: attribution::order_of(
                json::texts(self.attribution_order.as_deref().unwrap_or("[]"))
                    .iter()
                    .map(String::as_str),
            ),
            is_customer_required: self.is_customer_required == Some(1),
            click_rules: click_rules(self.click_rules.as_deref())?,
        })
    }
}

/// A copy that an older version wrote has none.
fn status_words(text: Option<&str>) -> Vec<(String, Status)> {
    let pairs = text.map(json::pairs).unwrap_or_default().into_iter();
    pairs.filter_map(|(word, status)| Some((word, Status::from_word(&status)?))).collect()
}

fn networks(text: &str) -> Vec<Network> {
    json::texts(text).iter().filter_map(|network| Network::parse(network)).collect()
}

/// An allow list of which nothing can be read must not become one that allows everybody.
fn allow_list(text: &str) -> Option<Vec<Network>> {
    let list = networks(text);
    if list.is_empty() && !json::texts(text).is_empty() { None } else { Some(list) }
}

/// The keys of secrets that the installation can still derive. With none left nothing verifies.
fn signing_keys(
    text: Option<&str>,
    settings: &Settings,
    namespace: &Namespace,
    campaign_id: u32,
) -> Vec<SigningKey> {
    let secret =
        |text: &String| Derivation::parse(text)?.secret(&settings.keyring, namespace, campaign_id);
    let texts = json::texts(text.unwrap_or("[]"));
    texts.iter().filter_map(secret).filter_map(|text| SigningKey::new(&text)).collect()
}

pub(super) fn hashes(text: &str) -> Vec<SecretHash> {
    json::texts(text).iter().filter_map(|hash| unhex(hash)).collect()
}

//! A click: decided from memory alone, recorded behind the reply.
//!
//! Synchronous on purpose. What is not in memory is named, loaded by the caller, and the click is
//! followed again; so there is one path, and it costs no promise when memory knows.

mod destination;
mod drawn;
mod lacking;
mod redirect;
mod traced;
mod trial;

use std::borrow::Cow;
use std::rc::Rc;

use crate::app::memory::{Lookup, Memory, Wanted};
use crate::app::pages::{ClickRecord, Duty, Pages, Place};
use crate::app::settings::{Moment, Settings};
use crate::domain::cap::is_closed;
use crate::domain::click_id::{ClickId, Country, Flags};
use crate::domain::click_parameters::ClickParameters;
use crate::domain::configuration::{Campaign, CampaignState, Link, NamespaceSettings};
use crate::domain::cookie;
use crate::domain::namespace::Namespace;
use crate::domain::template::{Macro, Template};
use crate::domain::trace::Origin;
use crate::domain::verdict::{Warning, WarningCode};
use crate::domain::visit::{self, Hints, Uncounted, Visit};
use destination::{Destination, deep_link, write_deep_link};
use drawn::{page_name, random_digits};
pub use lacking::also_lacking;
pub use redirect::{Redirect, Spare};
pub use traced::Missing;

/// What a click is followed with.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// What is known of the configuration.
    pub memory: &'a Memory,
    /// Where clicks are kept until they are written.
    pub pages: &'a Pages,
    /// Where the redirect's text may be written.
    pub spare: &'a Spare,
    /// How the installation is set up.
    pub settings: &'a Settings,
    /// When the click is.
    pub moment: &'a Moment<'a>,
}

/// A request for `/click`, read but not judged.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// Its query.
    pub query: &'a str,
    /// Its user agent.
    pub user_agent: &'a str,
    /// Where the visitor came from.
    pub referer: &'a str,
    /// The cookies.
    pub cookie: &'a str,
    /// What else the headers say of the visit.
    pub hints: Hints<'a>,
    /// Where the visitor is.
    pub country: Option<Country>,
    /// From which network; `None` if that was not handed over.
    pub origin: Option<Origin>,
    /// `HEAD`: an id that verifies, nothing stored.
    pub is_head: bool,
}

/// Where a visitor is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// On, with cookies.
    Redirect(Redirect),
    /// There is no destination.
    Nowhere,
}

/// Follows a click.
///
/// # Errors
/// What has to be loaded first.
pub fn follow(
    means: &Means<'_>,
    namespace: &Namespace,
    arrival: &Arrival<'_>,
) -> Result<Followed, Missing> {
    let Means { memory, settings, moment, .. } = *means;
    let Some(space) =
        known(memory.namespace(namespace, moment.now), || Wanted::Namespace(namespace.clone()))?
    else {
        return Ok(Followed::Nowhere);
    };
    let mut parameters = crate::domain::click_parameters::parse(arrival.query);
    // A link of another campaign than the one named is an unknown link.
    let link = link(memory, moment, namespace, &parameters)?
        .filter(|link| parameters.campaign_id.is_none_or(|named| named == link.campaign_id));
    let campaign_id = link.as_ref().map(|link| link.campaign_id).or(parameters.campaign_id);
    let campaign = match campaign_id {
        Some(id) => known(memory.campaign(namespace, id, moment.now), || {
            Wanted::Campaign(namespace.clone(), id)
        })?,
        None => None,
    };
    let mut visit = visit::read(memory.agents.read(arrival.user_agent), &arrival.hints);
    if let Some(link) = link.as_deref() {
        trial::mark(&mut visit, &mut parameters, link, settings, namespace, moment.now);
    }
    let (parameters, is_test) = (&parameters, visit.is_test());
    let click = Click { means, arrival, space: &space, parameters, visit };
    match (link, campaign) {
        (Some(link), Some(campaign))
            if is_open(&space, &campaign, &link, is_test)
                && (is_test
                    || !is_closed(&campaign.caps, link.affiliate_id, || {
                        settings.date_in(&space.time_zone, moment.now)
                    })) =>
        {
            click.has_origin(&campaign)?;
            Ok(click.to_campaign(&campaign, &link))
        }
        (link, campaign) => Ok(click.back(campaign.as_deref(), link.as_deref())),
    }
}

fn known<T>(lookup: Lookup<T>, wanted: impl FnOnce() -> Wanted) -> Result<Option<Rc<T>>, Wanted> {
    match lookup {
        Lookup::Known(value) => Ok(Some(value)),
        Lookup::Absent => Ok(None),
        Lookup::Unread => Err(wanted()),
    }
}

/// The link: by its number, else an affiliate's default one of the campaign.
fn link(
    memory: &Memory,
    moment: &Moment<'_>,
    namespace: &Namespace,
    parameters: &ClickParameters<'_>,
) -> Result<Option<Rc<Link>>, Wanted> {
    let id = match (parameters.ref_id, parameters.affiliate_id, parameters.campaign_id) {
        (Some(id), _, _) => id,
        (None, Some(affiliate), Some(campaign)) => {
            let found = memory.default_link(namespace, campaign, affiliate, moment.now);
            match known(found, || Wanted::DefaultLink(namespace.clone(), campaign, affiliate))? {
                Some(id) => *id,
                None => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    known(memory.link(namespace, id, moment.now), || Wanted::Link(namespace.clone(), id))
}

/// A test goes through before the campaign starts as well.
fn is_open(space: &NamespaceSettings, campaign: &Campaign, link: &Link, is_test: bool) -> bool {
    (campaign.state == CampaignState::Active || is_test && campaign.state == CampaignState::Paused)
        && link.is_active
        && !space.blocked_affiliates.contains(&link.affiliate_id)
}

/// One click whose configuration is known.
struct Click<'a> {
    means: &'a Means<'a>,
    arrival: &'a Arrival<'a>,
    space: &'a NamespaceSettings,
    parameters: &'a ClickParameters<'a>,
    visit: Visit,
}

impl Click<'_> {
    /// To the campaign's page or the visitor's deep link, with an id unless consent was denied.
    fn to_campaign(&self, campaign: &Campaign, link: &Link) -> Followed {
        let Means { pages, settings, moment, .. } = *self.means;
        let mut warnings = Vec::new();
        let Some(destination) = self.destination(campaign, &mut warnings) else {
            return self.back(Some(campaign), Some(link));
        };
        let place = pages.place(|| page_name((moment.random)()), moment.now);
        if self.parameters.consent_denied {
            return self.without_consent(campaign, link, &destination, place);
        }
        let id = self.id(link, place);
        // Without any key nothing could be signed; the visitor is redirected all the same.
        let click_id = self.space.click_keys.sign(&id);
        let click_id = click_id.as_deref().unwrap_or_default();
        let mut lines = self.location(&destination, campaign, link, click_id);
        self.write_cookies(&mut lines, campaign, click_id);
        let duty = if settings.is_recording && !self.arrival.is_head {
            let landing_page_id = match &destination {
                Destination::Page(page) => Some(page.id),
                Destination::DeepLink(_) => None,
            };
            let record =
                self.record(id, click_id.to_owned(), campaign, link, landing_page_id, warnings);
            pages.add(record, settings.click_page_ms, moment.now)
        } else {
            Duty::default()
        };
        Followed::Redirect(Redirect { lines, duty })
    }

    /// Without consent: no id and no cookie, an aggregate count only.
    #[inline(never)]
    fn without_consent(
        &self,
        campaign: &Campaign,
        link: &Link,
        destination: &Destination<'_>,
        place: Place,
    ) -> Followed {
        let Means { pages, settings, moment, .. } = *self.means;
        let lines = self.location(destination, campaign, link, "");
        let is_silent = self.arrival.is_head || self.visit.is_test();
        let duty = if settings.is_recording && !is_silent {
            pages.count(&self.space.name, link.id, place, settings.click_page_ms, moment.now)
        } else {
            Duty::default()
        };
        Followed::Redirect(Redirect { lines, duty })
    }

    fn destination<'c>(
        &self,
        campaign: &'c Campaign,
        warnings: &mut Vec<Warning>,
    ) -> Option<Destination<'c>> {
        if let Some(dl) = self.parameters.dl.as_deref() {
            if let Some(address) = deep_link(dl, campaign) {
                return Some(Destination::DeepLink(address));
            }
            let message = "the deep link is no https address of a host that the campaign allows";
            warnings.push(Warning::about(WarningCode::DeepLinkRefused, "dl", message));
        }
        let page = campaign.landing_page(self.parameters.lp)?;
        if self.parameters.lp.is_some_and(|lp| lp != page.id) {
            let message = "the campaign has no such landing page; its default one was used";
            warnings.push(Warning::about(WarningCode::UnknownLandingPage, "lp", message));
        }
        Some(Destination::Page(page))
    }

    fn id(&self, link: &Link, place: Place) -> ClickId {
        let flag = |condition: bool, flag: Flags| if condition { flag } else { Flags::default() };
        let is_preview =
            matches!(self.visit.uncounted, Some(Uncounted::Prefetch | Uncounted::Preview));
        let is_counted = self.visit.uncounted.is_none() && !self.arrival.is_head;
        ClickId {
            flags: flag(is_counted, Flags::COUNTED)
                .with(flag(self.visit.is_suspected_bot, Flags::SUSPECTED_BOT))
                .with(flag(is_preview, Flags::PREFETCH))
                .with(flag(self.visit.is_embedded, Flags::EMBEDDED))
                .with(flag(self.visit.is_test(), Flags::TEST)),
            shard: 0,
            time: self.means.moment.now,
            ref_id: link.id,
            country: self.arrival.country,
            page: place.page,
            ordinal: place.ordinal,
        }
    }

    fn location(
        &self,
        destination: &Destination<'_>,
        campaign: &Campaign,
        link: &Link,
        click_id: &str,
    ) -> String {
        let values = |name: Macro| self.value(name, Some(campaign), Some(link), click_id);
        let mut location = self.means.spare.take();
        match destination {
            Destination::Page(page) if click_id.is_empty() => {
                page.template.render_into(&mut location, &values);
            }
            Destination::Page(page) => page.with_click_id.render_into(&mut location, &values),
            Destination::DeepLink(address) => {
                write_deep_link(&mut location, address, campaign, &values, click_id);
            }
        }
        location
    }

    /// No destination of the campaign: its own traffic-back address, else the namespace's.
    #[inline(never)]
    fn back(&self, campaign: Option<&Campaign>, link: Option<&Link>) -> Followed {
        let template: Option<&Template> =
            campaign.and_then(|c| c.traffic_back.as_ref()).or(self.space.traffic_back.as_ref());
        match template {
            None => Followed::Nowhere,
            Some(template) => {
                let mut location = String::new();
                template.render_into(&mut location, &|name| self.value(name, campaign, link, ""));
                Followed::Redirect(Redirect::to(location))
            }
        }
    }

    /// Appends the cookies, a line each.
    fn write_cookies(&self, lines: &mut String, campaign: &Campaign, click_id: &str) {
        if self.visit.has_gpc || self.visit.is_embedded || click_id.is_empty() {
            return;
        }
        campaign.cookies.write(lines, click_id, self.space.is_pixels_enabled);
        for id in cookie::campaigns_to_expire(self.arrival.cookie, campaign.id) {
            lines.push('\n');
            lines.push_str(&cookie::expire_campaign_cookie(id));
        }
    }

    fn value<'v>(
        &'v self,
        name: Macro,
        campaign: Option<&Campaign>,
        link: Option<&Link>,
        click_id: &'v str,
    ) -> Option<Cow<'v, str>> {
        let number = |number: u32| Some(Cow::Owned(number.to_string()));
        let parameter = |value: &'v Option<Cow<'_, str>>| value.as_deref().map(Cow::Borrowed);
        match name {
            Macro::ClickId => Some(click_id.into()),
            Macro::CampaignId => {
                campaign.map(|c| c.id).or(self.parameters.campaign_id).and_then(number)
            }
            Macro::RefId => link.map(|l| l.id).or(self.parameters.ref_id).and_then(number),
            Macro::AffiliateId => {
                link.map(|l| l.affiliate_id).or(self.parameters.affiliate_id).and_then(number)
            }
            Macro::AdvertiserId => campaign.map(|c| c.advertiser_id).and_then(number),
            Macro::Source => parameter(&self.parameters.source),
            Macro::ExternalClickId => parameter(&self.parameters.external_click_id),
            Macro::Country => {
                self.arrival.country.map(|country| Cow::Owned(country.as_str().to_owned()))
            }
            Macro::Device => Some(self.visit.device.as_str().into()),
            Macro::Os => Some(self.visit.os.as_str().into()),
            Macro::Browser => Some(self.visit.browser.as_str().into()),
            Macro::Referer => Some(self.kept(self.arrival.referer).into()),
            Macro::UserAgent => Some(self.kept(self.arrival.user_agent).into()),
            Macro::Timestamp => Some(self.means.moment.now.seconds().to_string().into()),
            Macro::Random => Some(random_digits((self.means.moment.random)()).into()),
            sub => parameter(self.parameters.subs.get(sub.sub_index()?)?),
        }
    }

    /// What says something about the visitor is kept only without `Sec-GPC`.
    fn kept<'v>(&self, text: &'v str) -> &'v str {
        if self.visit.has_gpc { "" } else { text }
    }

    #[inline(never)]
    fn record(
        &self,
        id: ClickId,
        click_id: String,
        campaign: &Campaign,
        link: &Link,
        landing_page_id: Option<u32>,
        warnings: Vec<Warning>,
    ) -> ClickRecord {
        let mut all_warnings = self.parameters.warnings.clone();
        all_warnings.extend(warnings);
        let owned = |value: &Option<Cow<'_, str>>| value.as_deref().map(str::to_owned);
        let subs = self.parameters.subs.iter().zip(SUB_NAMES);
        let subs =
            subs.filter_map(|(value, name)| Some((name.to_owned(), value.as_deref()?.to_owned())));
        let extra =
            self.parameters.extra.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        ClickRecord {
            namespace: self.space.name.clone(),
            click_id,
            id,
            campaign_id: campaign.id,
            affiliate_id: link.affiliate_id,
            landing_page_id,
            uncounted: self.visit.uncounted,
            device: self.visit.device,
            os: self.visit.os,
            browser: self.visit.browser,
            referrer: bounded(self.kept(self.arrival.referer)).to_owned(),
            user_agent: bounded(self.kept(self.arrival.user_agent)).to_owned(),
            source: owned(&self.parameters.source),
            external_click_id: owned(&self.parameters.external_click_id),
            parameters: subs.chain(extra).collect(),
            warnings: all_warnings,
            window_seconds: u64::from(campaign.window_days) * 86_400,
            trace: self.trace(campaign),
        }
    }
}

const SUB_NAMES: [&str; 10] =
    ["sub1", "sub2", "sub3", "sub4", "sub5", "sub6", "sub7", "sub8", "sub9", "sub10"];

/// Headers are kept up to 512 bytes, like parameters; a page of clicks holds 500 of them.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(512)).unwrap_or(text)
}

//! Looking up whom a postback names besides its click: in memory, else a copy, else the ledger.
//! One that names nobody, as most do, costs nothing here.

use super::memory::{Memory, Wanted};
use super::ports::{Configuration, Unavailable};
use super::situate::recall;
use crate::domain::attribution::{Coupon, MAX_CODE, Parties, Sought, Way};
use crate::domain::configuration::{Campaign, Link, NamespaceSettings, RefIdMeaning};
use crate::domain::permission::{Act, Proof, may};
use crate::domain::postback::Postback;
use crate::domain::time::Timestamp;

/// Whether there is anybody to look up. An event credits whom its initial conversion does.
pub(super) fn names_parties(postback: &Postback) -> bool {
    let is_event = postback.event_id.is_some() || postback.event_name.is_some();
    !is_event
        && (postback.coupon.is_some()
            || postback.ref_id.is_some()
            || postback.ref_custom_id.is_some()
            || postback.affiliate_id.is_some())
}

/// Looks up everybody whom a postback names and may name in this campaign. Whoever proves nothing
/// may name nobody, so that strangers cannot make the ledger look.
pub(super) async fn parties(
    ports: &impl Configuration,
    memory: &Memory,
    (space, campaign): (&NamespaceSettings, &Campaign),
    (postback, proof): (&Postback, Proof),
    now: Timestamp,
) -> Parties {
    let mut parties = Parties::default();
    if !may(proof, Act::CreateWithoutClick, campaign) {
        return parties;
    }
    let search = Search { ports, memory, space, campaign, now };
    let is_open = |way: Way| campaign.attribution_order.contains(&way);
    if let Some(code) = postback.coupon.as_deref().filter(|_| is_open(Way::Coupon)) {
        parties.coupon = sought(search.coupon(code).await);
    }
    if let Some(id) = postback.ref_id.filter(|_| is_open(Way::RefId)) {
        parties.ref_id = sought(match space.postback_ref_id {
            RefIdMeaning::Link => search.link(id).await,
            RefIdMeaning::Affiliate => search.default_link(id).await,
        });
    }
    if let Some(id) = postback.ref_custom_id.as_deref().filter(|_| is_open(Way::RefCustomId)) {
        parties.ref_custom_id = sought(search.link_of_custom_id(id).await);
    }
    if let Some(id) = postback.affiliate_id.filter(|_| is_open(Way::AffiliateId)) {
        parties.affiliate_id = sought(search.default_link(id).await);
    }
    parties
}

fn sought<T>(found: Result<Option<T>, Unavailable>) -> Sought<T> {
    match found {
        Ok(Some(found)) => Sought::Found(found),
        Ok(None) => Sought::Absent,
        Err(Unavailable) => Sought::Unanswered,
    }
}

/// Where is looked.
struct Search<'a, P> {
    ports: &'a P,
    memory: &'a Memory,
    space: &'a NamespaceSettings,
    campaign: &'a Campaign,
    now: Timestamp,
}

impl<P: Configuration> Search<'_, P> {
    async fn coupon(&self, code: &str) -> Result<Option<Coupon>, Unavailable> {
        if code.chars().count() > MAX_CODE {
            return Ok(None);
        }
        let (name, campaign, code) =
            (&self.space.name, self.campaign.id, code.to_ascii_lowercase());
        let look = || self.memory.coupon(name, campaign, &code, self.now);
        let wanted = || Wanted::Coupon(name.clone(), campaign, code.clone());
        let found = recall(self.ports, self.now, look, wanted).await?;
        Ok(found.map(|coupon| (*coupon).clone()))
    }

    async fn link(&self, id: u32) -> Result<Option<Link>, Unavailable> {
        let name = &self.space.name;
        let look = || self.memory.link(name, id, self.now);
        let found = recall(self.ports, self.now, look, || Wanted::Link(name.clone(), id)).await?;
        Ok(found.map(|link| *link))
    }

    /// An affiliate's default link of the campaign. It stands for the affiliate, so that it does
    /// not matter whether it takes clicks.
    async fn default_link(&self, affiliate_id: u32) -> Result<Option<Link>, Unavailable> {
        let (name, campaign_id) = (&self.space.name, self.campaign.id);
        let look = || self.memory.default_link(name, campaign_id, affiliate_id, self.now);
        let wanted = || Wanted::DefaultLink(name.clone(), campaign_id, affiliate_id);
        let found = recall(self.ports, self.now, look, wanted).await?;
        Ok(found.map(|id| Link {
            id: *id,
            campaign_id,
            affiliate_id,
            is_active: true,
            own_customers: [0; 2],
        }))
    }

    async fn link_of_custom_id(&self, custom_id: &str) -> Result<Option<Link>, Unavailable> {
        if custom_id.chars().count() > MAX_CODE {
            return Ok(None);
        }
        let name = &self.space.name;
        let look = || self.memory.custom_id(name, custom_id, self.now);
        let wanted = || Wanted::CustomId(name.clone(), custom_id.to_owned());
        match recall(self.ports, self.now, look, wanted).await? {
            Some(affiliate_id) => self.default_link(*affiliate_id).await,
            None => Ok(None),
        }
    }
}

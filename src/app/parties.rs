//! Looking up whom a postback names besides its click: in memory, else a copy, else the ledger.
//! One that names nobody, as most do, costs nothing here.

use std::rc::Rc;

use super::memory::{Coded, Lookup, Memory, Wanted};
use super::ports::Configuration;
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
    if !may(proof, Act::CreateWithoutClick, campaign) {
        return Parties::default();
    }
    // As a click is followed: what memory lacks is loaded, then everything is looked up again, so
    // that the steps are plain functions. What is lacking still was not answered.
    let mut search = Search { memory, space, campaign, now, asked: Vec::new() };
    loop {
        match search.parties(postback) {
            Ok(parties) => return parties,
            Err(wanted) => {
                let _ = ports.load(std::slice::from_ref(&wanted), now).await;
                search.asked.push(wanted);
            }
        }
    }
}

/// Where is looked.
struct Search<'a> {
    memory: &'a Memory,
    space: &'a NamespaceSettings,
    campaign: &'a Campaign,
    now: Timestamp,
    /// What was loaded already, or could not be.
    asked: Vec<Wanted>,
}

/// What was found, or what has to be loaded first.
type Found<T> = Result<Sought<T>, Wanted>;

impl Search<'_> {
    fn parties(&self, postback: &Postback) -> Result<Parties, Wanted> {
        let is_open = |way: Way| self.campaign.attribution_order.contains(&way);
        let mut parties = Parties::default();
        if let Some(code) = postback.coupon.as_deref().filter(|_| is_open(Way::Coupon)) {
            parties.coupon = self.coupon(code)?;
        }
        if let Some(id) = postback.ref_id.filter(|_| is_open(Way::RefId)) {
            parties.ref_id = match self.space.postback_ref_id {
                RefIdMeaning::Link => self.link(id)?,
                RefIdMeaning::Affiliate => self.default_link(id)?,
            };
        }
        if let Some(id) = postback.ref_custom_id.as_deref().filter(|_| is_open(Way::RefCustomId)) {
            parties.ref_custom_id = self.link_of_custom_id(id)?;
        }
        if let Some(id) = postback.affiliate_id.filter(|_| is_open(Way::AffiliateId)) {
            parties.affiliate_id = self.default_link(id)?;
        }
        Ok(parties)
    }

    fn sought<T>(&self, found: Lookup<T>, wanted: Wanted) -> Found<Rc<T>> {
        match found {
            Lookup::Known(value) => Ok(Sought::Found(value)),
            Lookup::Absent => Ok(Sought::Absent),
            Lookup::Unread if self.asked.contains(&wanted) => Ok(Sought::Unanswered),
            Lookup::Unread => Err(wanted),
        }
    }

    fn code(&self, wanted: Wanted, text: &str) -> Found<Rc<Coded>> {
        if text.chars().count() > MAX_CODE {
            return Ok(Sought::Absent);
        }
        self.sought(self.memory.code(&wanted, self.now), wanted)
    }

    fn coupon(&self, code: &str) -> Found<Coupon> {
        let name = self.space.name.clone();
        let wanted = Wanted::Coupon(name, self.campaign.id, code.to_ascii_lowercase());
        Ok(self.code(wanted, code)?.and_then(|coded| match &*coded {
            Coded::Coupon(coupon) => Sought::Found(coupon.clone()),
            Coded::Affiliate(_) => Sought::Absent,
        }))
    }

    fn link(&self, id: u32) -> Found<Link> {
        let name = &self.space.name;
        let found = self.memory.link(name, id, self.now);
        let link = self.sought(found, Wanted::Link(name.clone(), id))?;
        Ok(link.and_then(|link| Sought::Found(*link)))
    }

    /// An affiliate's default link of the campaign. It stands for the affiliate, so that it does
    /// not matter whether it takes clicks.
    fn default_link(&self, affiliate_id: u32) -> Found<Link> {
        let (name, campaign_id) = (&self.space.name, self.campaign.id);
        let found = self.memory.default_link(name, campaign_id, affiliate_id, self.now);
        let wanted = Wanted::DefaultLink(name.clone(), campaign_id, affiliate_id);
        Ok(self.sought(found, wanted)?.and_then(|id| {
            // Links of kind test are no default ones.
            let (is_active, is_test, own_customers) = (true, false, [0; 2]);
            Sought::Found(Link {
                id: *id,
                campaign_id,
                affiliate_id,
                is_active,
                is_test,
                own_customers,
            })
        }))
    }

    fn link_of_custom_id(&self, custom_id: &str) -> Found<Link> {
        let wanted = Wanted::CustomId(self.space.name.clone(), custom_id.to_owned());
        match self.code(wanted, custom_id)? {
            Sought::Found(coded) => match *coded {
                Coded::Affiliate(affiliate_id) => self.default_link(affiliate_id),
                Coded::Coupon(_) => Ok(Sought::Absent),
            },
            Sought::Unanswered => Ok(Sought::Unanswered),
            Sought::Absent | Sought::Unasked => Ok(Sought::Absent),
        }
    }
}

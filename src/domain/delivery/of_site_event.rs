//! What connectors are told of a site event that becomes no conversion.

use super::occasion::{Known, Told, deliveries};
use super::values::{Gathered, IS_TEST};
use super::{Delivery, Subject};
use crate::domain::click_id::{ClickId, Flags};
use crate::domain::configuration::Link;
use crate::domain::connector::{Connector, Occasion};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// A site event that just arrived.
#[derive(Clone, Copy, Debug)]
pub struct SiteNews<'a> {
    /// Its namespace.
    pub namespace: &'a Namespace,
    /// The name of its request.
    pub request_id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its keys and values, as sent.
    pub keys: &'a [(String, String)],
    /// What it calls its order, `eventId`.
    pub order_id: Option<&'a str>,
    /// The click that the page remembers, if it verifies: as text, what it says, and its link.
    pub click: Option<(&'a str, ClickId, Link)>,
    /// The advertiser of the click's campaign.
    pub advertiser_id: Option<u32>,
    /// The visitor.
    pub visitor: Option<&'a str>,
    /// Whether connectors in test mode send as well.
    pub is_forced: bool,
    /// When it arrived.
    pub now: Timestamp,
}

impl SiteNews<'_> {
    /// What has to be sent of it. It credits nobody, so that no affiliate's own connector hears of
    /// it.
    pub fn deliveries<'c>(&self, connectors: impl Iterator<Item = &'c Connector>) -> Vec<Delivery> {
        let told = Told {
            namespace: self.namespace,
            occasion: Occasion {
                event_name: self.name,
                campaign_id: self.click.map(|(_, _, link)| link.campaign_id),
                affiliate_id: None,
                status: None,
                is_new: true,
            },
            subject: Subject::SiteEvent(self.request_id),
            arrived_at: self.now,
            happened_at: self.now,
            now: self.now,
            click_id: self.click.map(|(text, _, _)| text),
            visitor: self.visitor,
            is_test: self.is_test(),
            is_forced: self.is_forced,
        };
        deliveries(&told, connectors, |_| self.known())
    }

    fn is_test(&self) -> bool {
        self.click.is_some_and(|(_, id, _)| id.flags.has(Flags::TEST))
    }

    fn known(&self) -> Known {
        let mut known = Gathered::default();
        for (key, value) in self.keys {
            known.hear(key, value);
        }
        let order_id = self.order_id.unwrap_or_default();
        known.say("TRANSACTION_ID", order_id);
        known.say("ORDER_ID", order_id);
        known.say("TIMESTAMP", self.now.seconds().to_string());
        if let Some((text, id, link)) = self.click {
            known.say("BACKTRAIL_CLICK_ID", text);
            known.number("AFFILIATE_ID", link.affiliate_id);
            known.number("CAMPAIGN_ID", link.campaign_id);
            known.number("ref_id", link.id);
            known.say("country", id.country.map_or_else(String::new, |c| c.as_str().to_owned()));
        }
        known.number("advertiser_id", self.advertiser_id.unwrap_or_default());
        known.say(IS_TEST, if self.is_test() { "1" } else { "" });
        known.known()
    }
}

//! What connectors are told of what a report becomes.

use super::{Ports, Trial};
use crate::app::memory::Memory;
use crate::app::outbox::connectors_for;
use crate::app::ports::Unavailable;
use crate::domain::configuration::Campaign;
use crate::domain::contact::macro_of;
use crate::domain::conversion::{Conversion, INITIAL, Source};
use crate::domain::delivery::Delivery;
use crate::domain::delivery::occasion::is_forced;
use crate::domain::delivery::of_conversion::{News, REPORTED_AS};
use crate::domain::parameters::{MAX_UNKNOWN, MAX_UNKNOWN_NAME_BYTES, MAX_UNKNOWN_VALUE_BYTES};
use crate::domain::permission::{Act, Proof, may};
use crate::domain::postback::Postback;
use crate::domain::transition::Change;

impl Trial<'_> {
    /// A new conversion keeps the name under which a page reported it, and the event's own keys as
    /// far as a postback's would be kept: connectors are told of its later changes in these words.
    /// What tells who somebody is stays in the first delivery alone, which forgets it.
    pub(super) fn keep_words(&self, new: &mut Conversion) {
        if let Some(name) = self.said.site_event.as_ref().filter(|_| new.event_id == INITIAL) {
            new.explain(REPORTED_AS, name.clone());
        }
        let is_kept = |(key, value): &&(String, String)| {
            (1..=MAX_UNKNOWN_NAME_BYTES).contains(&key.len())
                && (1..=MAX_UNKNOWN_VALUE_BYTES).contains(&value.len())
                && !key.chars().chain(value.chars()).any(char::is_control)
                && macro_of(key).is_none()
                && !value.contains('@')
        };
        let kept = self.said.keys.iter().filter(is_kept).take(MAX_UNKNOWN);
        new.kept.extend(kept.cloned());
    }

    /// What has to be sent of a new conversion.
    pub(super) async fn of_new(
        &self,
        (ports, memory): (&impl Ports, &Memory),
        (campaign, postback): (&Campaign, &Postback),
        new: &Conversion,
    ) -> Result<Vec<Delivery>, Unavailable> {
        let mut said = self.said.keys.clone();
        // As sent: what the conversion keeps of them is written in its shortest form. Only what
        // counts: an amount that was ignored would reach receivers from anybody who has a click_id.
        // What a page reports are its event's own keys, which are told as those of any site event
        // are (wire.md 8), whether or not its conversion takes an amount from them.
        let is_heard = self.source != Source::Collect && may(self.proof, Act::SendAmount, campaign);
        let sent = |name: &str| postback.stored.iter().find(|(sent, _)| is_heard && sent == name);
        for (key, name) in [("value", "amount"), ("currency", "currency")] {
            said.extend(sent(name).map(|(_, value)| (key.to_owned(), value.clone())));
        }
        self.told((ports, memory), (campaign, postback), new, true, &said).await
    }

    /// What has to be sent of changes.
    pub(super) async fn of_changes(
        &self,
        (ports, memory): (&impl Ports, &Memory),
        (campaign, postback): (&Campaign, &Postback),
        changes: &[Change],
    ) -> Result<Vec<Delivery>, Unavailable> {
        let mut all = Vec::new();
        for change in changes.iter().filter(|change| change.is_of_status()) {
            let (world, about) = ((ports, memory), (campaign, postback));
            all.extend(self.told(world, about, &change.after, false, &[]).await?);
        }
        Ok(all)
    }

    async fn told(
        &self,
        (ports, memory): (&impl Ports, &Memory),
        (campaign, postback): (&Campaign, &Postback),
        conversion: &Conversion,
        is_new: bool,
        said: &[(String, String)],
    ) -> Result<Vec<Delivery>, Unavailable> {
        let (affiliate_id, now) = (conversion.affiliate_id, self.judged_at);
        let connectors = connectors_for(ports, memory, self.namespace, affiliate_id, now).await?;
        let sent = postback.stored.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let news = News {
            namespace: self.namespace,
            conversion,
            is_new,
            advertiser_id: campaign.advertiser_id,
            initial_name: campaign.initial_name(),
            said,
            visitor: self.said.visitor.as_deref(),
            is_forced: self.said.is_forced || self.proof != Proof::Nothing && is_forced(sent),
            now,
        };
        Ok(news.deliveries(connectors.iter().flat_map(|connectors| &connectors.list)))
    }
}

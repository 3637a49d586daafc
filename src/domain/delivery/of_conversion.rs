//! What connectors are told of a conversion: a new one, or one that has got another status.

use super::occasion::{Known, Told, deliveries};
use super::values::{Gathered, IS_TEST};
use super::{Delivery, Subject};
use crate::domain::connector::macros::upper_name;
use crate::domain::connector::{Connector, Occasion};
use crate::domain::conversion::{Conversion, INITIAL, Source, time_in_name};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// In a conversion's explanation: the site event as which a page reported it.
pub const REPORTED_AS: &str = "site_event";

/// A conversion that was just decided.
#[derive(Clone, Copy, Debug)]
pub struct News<'a> {
    /// Its namespace.
    pub namespace: &'a Namespace,
    /// As it is from now on.
    pub conversion: &'a Conversion,
    /// Whether it is new; otherwise it has got another status.
    pub is_new: bool,
    /// The advertiser of its campaign.
    pub advertiser_id: u32,
    /// What the campaign calls initial conversions: the name of the first site event that it maps to
    /// them.
    pub initial_name: Option<&'a str>,
    /// The event's own keys and values, as sent; without those that the conversion keeps.
    pub said: &'a [(String, String)],
    /// The visitor, where a browser reported it.
    pub visitor: Option<&'a str>,
    /// Whether connectors in test mode send as well.
    pub is_forced: bool,
    /// When it was decided.
    pub now: Timestamp,
}

impl News<'_> {
    /// The name of the event, by which connectors are triggered.
    pub fn event_name(&self) -> &str {
        let conversion = self.conversion;
        let otherwise = if conversion.is_lead { "Lead" } else { "Purchase" };
        if conversion.event_id == INITIAL {
            let kept = conversion.explanation.iter().find(|(what, _)| *what == REPORTED_AS);
            let name = kept.map(|(_, name)| name.as_str()).or(self.initial_name);
            return name.unwrap_or(otherwise);
        }
        conversion.event_name.as_deref().unwrap_or(otherwise)
    }

    /// What has to be sent of it.
    pub fn deliveries<'c>(&self, connectors: impl Iterator<Item = &'c Connector>) -> Vec<Delivery> {
        let conversion = self.conversion;
        let caused_by = conversion.changed_by.as_ref().unwrap_or(&conversion.request_id);
        let told = Told {
            namespace: self.namespace,
            occasion: Occasion {
                event_name: self.event_name(),
                campaign_id: Some(conversion.campaign_id),
                affiliate_id: Some(conversion.affiliate_id),
                status: Some(conversion.status),
                is_new: self.is_new,
            },
            subject: Subject::Conversion(&conversion.conversion_id, conversion.revision),
            arrived_at: time_in_name(caused_by).unwrap_or(conversion.received_at),
            happened_at: conversion.occurred_at,
            now: self.now,
            click_id: conversion.click_id.as_deref(),
            visitor: self.visitor,
            is_test: conversion.is_test,
            is_forced: self.is_forced,
        };
        deliveries(&told, connectors, |is_of_affiliate| self.known(is_of_affiliate))
    }

    /// What the advertiser told the network alone (revenue, custom and unknown parameters) is not
    /// for affiliates.
    fn known(&self, is_of_affiliate: bool) -> Known {
        let c = self.conversion;
        let is_as_sent = c.refunds.is_none();
        let mut known = Gathered::default();
        for (key, value) in self.said {
            known.hear(key, value);
        }
        // Of what a page reported it keeps the event's own keys, which are no secret of the network.
        let is_of_page = c.source == Source::Collect;
        let is_heard = !is_of_affiliate || is_of_page;
        for (key, value) in c.kept.iter().filter(|_| is_heard) {
            // A server says these two by `amount` and `currency`, for which it needs permission; a
            // page by its event's own keys, until a refund leaves less.
            let is_money = ["VALUE", "CURRENCY"].contains(&upper_name(key).as_str());
            if !is_money || (is_of_page && is_as_sent) {
                known.hear(key, value);
            }
            if !is_of_affiliate && key.starts_with("custom") {
                known.say(key, value);
            }
        }
        if !is_of_affiliate {
            known.say("revenue", c.currency.format(c.revenue));
        }
        let sent = |name: &str| c.sent_money.iter().find(|(sent, _)| *sent == name);
        match (sent("amount").filter(|_| is_as_sent), c.amount) {
            (Some((_, amount)), _) => known.say("VALUE", amount),
            (None, Some(amount)) => known.say("VALUE", c.currency.format(amount)),
            (None, None) => {}
        }
        let currency = sent("currency").filter(|_| is_as_sent);
        known.say("CURRENCY", currency.map_or(c.currency.code(), |(_, code)| code));
        let order_id = c.order_id.as_deref().unwrap_or_default();
        known.say("TRANSACTION_ID", order_id);
        known.say("ORDER_ID", order_id);
        known.say("STATUS", c.status.as_str());
        known.say("PAYOUT", c.currency.format(c.payout));
        for (key, number) in [
            ("AFFILIATE_ID", c.affiliate_id),
            ("CAMPAIGN_ID", c.campaign_id),
            ("ref_id", c.ref_id),
            ("advertiser_id", self.advertiser_id),
        ] {
            known.number(key, number);
        }
        known.say("TIMESTAMP", c.occurred_at.seconds().to_string());
        known.say("BACKTRAIL_CLICK_ID", c.click_id.as_deref().unwrap_or_default());
        known.say("country", c.country.map_or_else(String::new, |c| c.as_str().to_owned()));
        known.say(IS_TEST, if c.is_test { "1" } else { "" });
        known.known()
    }
}

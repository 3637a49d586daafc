//! From something that happened to what is written into the outbox.

use std::rc::Rc;

use super::{Delivery, Kind, Subject, Values, delivery_id};
use crate::domain::connector::{Connector, Mode, Occasion};
use crate::domain::encoding;
use crate::domain::namespace::Namespace;
use crate::domain::time::{DAY_MS, MINUTE_MS, Timestamp};

/// For so long a pixel waits for the visitor's next report (wire.md, design.md 6).
pub const PIXEL_WAIT_MS: u64 = DAY_MS;

/// So much later what came with an arrival that could not be kept is sent: the page reports that
/// with its next event, and connectors look for what led to the visitor.
const ARRIVAL_WAIT_MS: u64 = 5 * MINUTE_MS;

/// Puts what is sent off until an arrival that could not be kept may be known after all. Pixels wait
/// for the visitor's next report in any case.
pub fn await_arrival(deliveries: &mut [Delivery], now: Timestamp) {
    for delivery in deliveries.iter_mut().filter(|delivery| delivery.kind == Kind::Webhook) {
        delivery.due_at = delivery.due_at.max(now.plus_ms(ARRIVAL_WAIT_MS));
    }
}

/// How the names of parameters are spelt that force what a connector in test mode would only show.
pub const FORCING: [&str; 2] = ["bt_test", "trl_test"];

/// Whether parameters force a delivery.
pub fn is_forced<'a>(mut parameters: impl Iterator<Item = (&'a str, &'a str)>) -> bool {
    parameters.any(|(name, value)| FORCING.contains(&name) && value == "1")
}

/// Whether the address of a page has such a parameter.
pub fn is_forced_by(address: &str) -> bool {
    let (address, _) = address.split_once('#').unwrap_or((address, ""));
    let (_, query) = address.split_once('?').unwrap_or_default();
    is_forced(encoding::pairs(query))
}

/// What happened, as far as it is the same for every connector that is told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Where.
    pub namespace: &'a Namespace,
    /// What may trigger connectors.
    pub occasion: Occasion<'a>,
    /// What the deliveries tell of.
    pub subject: Subject<'a>,
    /// When whatever caused it arrived, which is the same however often it is judged: the time in
    /// the delivery_id, by which the deliveries of a conversion are found.
    pub arrived_at: Timestamp,
    /// When it happened.
    pub happened_at: Timestamp,
    /// When it is written.
    pub now: Timestamp,
    /// Backtrail's click.
    pub click_id: Option<&'a str>,
    /// The visitor, where a browser reported it.
    pub visitor: Option<&'a str>,
    /// Whether it is a test, of which nobody is really told unless that is forced.
    pub is_test: bool,
    /// Whether connectors in test mode send as well.
    pub is_forced: bool,
}

/// What is known of the occasion: values, and personal ones.
pub type Known = (Values, Values);

/// The deliveries that connectors have to make. `known` says what an affiliate's own connector may
/// be told, or (`false`) one of the operator's.
pub fn deliveries<'c>(
    told: &Told<'_>,
    connectors: impl Iterator<Item = &'c Connector>,
    known: impl Fn(bool) -> Known,
) -> Vec<Delivery> {
    let mut all = Vec::new();
    // A call may tell many connectors of a thousand changes; all share what is told of one.
    let mut cached: [Option<(Rc<Values>, Rc<Values>)>; 2] = [None, None];
    let is_wanted = |connector: &&Connector| {
        let is_shown = !told.is_test || told.is_forced || connector.mode == Mode::Test;
        is_shown && connector.fires_on(&told.occasion)
    };
    for connector in connectors.filter(is_wanted) {
        let is_of_affiliate = connector.affiliate_id.is_some();
        let [of_operator, of_affiliate] = &mut cached;
        let slot = if is_of_affiliate { of_affiliate } else { of_operator };
        let (values, personal) = slot.get_or_insert_with(|| {
            let (values, personal) = known(is_of_affiliate);
            (Rc::new(values), Rc::new(personal))
        });
        let kinds = [
            (Kind::Webhook, connector.has_webhook, connector.delay_ms),
            (Kind::Pixel, connector.has_pixel, PIXEL_WAIT_MS),
        ];
        for (kind, _, after_ms) in kinds.into_iter().filter(|(_, is_on, _)| *is_on) {
            all.push(Delivery {
                delivery_id: delivery_id(
                    told.namespace,
                    connector.id,
                    told.subject,
                    kind,
                    told.arrived_at,
                ),
                connector_id: connector.id,
                kind,
                conversion: match told.subject {
                    Subject::Conversion(id, revision) => Some((id.to_owned(), revision)),
                    Subject::SiteEvent(_) => None,
                },
                event_name: told.occasion.event_name.to_owned(),
                happened_at: told.happened_at,
                click_id: told.click_id.map(str::to_owned),
                visitor: told.visitor.map(str::to_owned),
                is_forced: told.is_forced,
                values: Rc::clone(values),
                personal: Rc::clone(personal),
                due_at: told.now.plus_ms(after_ms),
            });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connectors_that_are_told_the_same_share_it() {
        let connector = |id, affiliate_id| Connector {
            id,
            mode: Mode::Enabled,
            campaign_id: None,
            affiliate_id,
            events: vec!["Purchase".into()],
            statuses: vec![],
            delay_ms: 0,
            has_webhook: true,
            has_pixel: true,
            matching: None,
        };
        let namespace = Namespace::parse("demo").unwrap();
        let now = Timestamp::from_ms(5);
        let told = Told {
            namespace: &namespace,
            occasion: Occasion {
                event_name: "Purchase",
                campaign_id: Some(1),
                affiliate_id: Some(7),
                status: None,
                is_new: true,
            },
            subject: Subject::Conversion("cv_1", 1),
            arrived_at: now,
            happened_at: now,
            now,
            click_id: None,
            visitor: None,
            is_test: false,
            is_forced: false,
        };
        let known = |is_of_affiliate: bool| {
            let value = ("VALUE".to_owned(), is_of_affiliate.to_string());
            (vec![value], Values::new())
        };
        let connectors = [connector(1, None), connector(2, Some(7)), connector(3, None)];
        let all = deliveries(&told, connectors.iter(), known);
        let is_shared = |one: usize, other: usize| {
            Rc::ptr_eq(&all[one].values, &all[other].values)
                && Rc::ptr_eq(&all[one].personal, &all[other].personal)
        };
        assert_eq!(all.len(), 6);
        assert!(is_shared(0, 1) && is_shared(0, 4) && is_shared(2, 3));
        assert_ne!(all[0].values, all[2].values);
    }
}

//! What a decision rests on: what the store knows, how it is asked, and what is taken for granted
//! until the commit has checked it.

use super::caps::{self, AssumedCaps};
use super::events::{self, AssumedInitial, Initial, InitialBy, Near};
use super::lifetime::customer_of;
use super::{Case, key};
use crate::domain::attribution::Customer;
use crate::domain::cap::{Place, Use};
use crate::domain::conversion::Conversion;
use crate::domain::erasure::keeps_order;
use crate::domain::examination::is_doubtful;

/// What the store knows about a case.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Whether the store was asked; until then nothing is there, and nothing is absent either.
    pub is_read: bool,
    /// The conversion of the same key.
    pub by_key: Option<Conversion>,
    /// The conversion of the same click and event.
    pub by_click: Option<Conversion>,
    /// The conversion of the same campaign, event and order.
    pub by_order: Option<Conversion>,
    /// A conversion of the same customer and event, where the question asks for it.
    pub by_customer: Option<Conversion>,
    /// The customer, if the campaign knows him.
    pub customer: Option<Customer>,
    /// The initial conversion that an event follows.
    pub initial: Initial,
    /// Every conversion of the click, where the question asks for them.
    pub of_click: Vec<Conversion>,
    /// What the requests that made and changed the conversion said; `None` until it was read.
    pub heard: Option<Vec<Vec<(String, String)>>>,
    /// What is used of the campaign's caps; `None` until it was read.
    pub uses: Option<Vec<Use>>,
    /// Whether the click was erased.
    pub is_click_erased: bool,
    /// Whether the customer was erased.
    pub is_customer_erased: bool,
}

/// What to ask the store about a case, to get its [`Facts`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// The key's conversion_id, if the case has a key.
    pub conversion_id: Option<String>,
    /// The click.
    pub click_id: Option<String>,
    /// The campaign and the order.
    pub order: Option<(u32, String)>,
    /// The event, or 0 for the initial conversion.
    pub event_id: u32,
    /// Where to look for the initial conversion; `None` unless an event is reported.
    pub initial: Option<InitialBy>,
    /// Whether the order is asked for among tests; else among all others.
    pub is_test: bool,
    /// What else is the same key, if only time tells.
    pub near: Option<Near>,
    /// Whether every conversion of the click is asked for, of whichever event.
    pub is_all_of_click: bool,
    /// The campaign and the customer.
    pub customer: Option<(u32, String)>,
    /// Whether the customer must not have the event yet: it counts once, and no click says of what.
    pub is_one_per_customer: bool,
    /// Where the uses of caps are asked for, and of which campaign.
    pub places: (u32, Vec<Place>),
    /// The click that would be credited, where it has to be known before a commit whether it was
    /// erased: of a dry run, which has none, of reasons, which a change would keep, and of an order
    /// that an erasure takes away; and where it is asked of a customer anyway.
    pub credited_click: Option<String>,
}

/// Whether the judgement depends on whether the click was erased, and no commit would find out.
fn must_know_erased(case: &Case<'_>) -> bool {
    let may_lack_order = case.postback.order_id.as_deref().is_some_and(|id| !keeps_order(id));
    case.postback.is_dry_run || may_lack_order
}

impl Question {
    /// The question about a case. An event that does not exist leaves nothing to ask.
    pub fn about(case: &Case<'_>) -> Self {
        let Ok(event) = events::resolve(case) else { return Self::default() };
        let order_id = case.postback.order_id.clone();
        // A click with many orders has as many conversions, of which none answers the question.
        let is_one_per_click = events::is_one_per_click(case, event);
        // A rejection counts them, and names one or all.
        let is_all_of_click = case.postback.new_rejected_reason.is_some();
        let has_answer = is_one_per_click || is_all_of_click;
        let initial = event.and_then(|_| InitialBy::named(case));
        let is_by_customer = matches!(initial, Some(InitialBy::Customer { .. }));
        Self {
            conversion_id: key(case, event, &Facts::default()).ok(),
            click_id: case.click.text().filter(|_| has_answer).map(str::to_owned),
            order: order_id.map(|order_id| (case.campaign.id, order_id)),
            event_id: events::number(event),
            initial,
            is_test: super::is_test(case),
            near: events::near(case, event),
            is_all_of_click,
            customer: customer_of(case).map(|id| (case.campaign.id, id.to_owned())),
            is_one_per_customer: is_by_customer && is_one_per_click,
            places: (case.campaign.id, caps::asked(case, event)),
            credited_click: case
                .click
                .text()
                .filter(|_| case.postback.has_reason() || must_know_erased(case))
                .map(str::to_owned),
        }
    }
}

/// What a new conversion takes for granted; its commit checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumptions {
    /// What to ask the store if something was wrong.
    pub question: Question,
    /// Whether the click must not have a conversion of this kind yet.
    pub is_one_per_click: bool,
    /// The initial conversion that has to stand; `None` unless it is an event.
    pub initial: Option<AssumedInitial>,
    /// What is free of the campaign's caps.
    pub caps: AssumedCaps,
    /// Whether the row of its click is to be examined afterwards.
    pub is_doubtful: bool,
}

impl Assumptions {
    /// What a case took for granted to become this conversion.
    pub fn of(case: &Case<'_>, conversion: &Conversion) -> Self {
        let event = events::resolve(case).ok().flatten();
        let is_one_per_click = events::is_one_per_click(case, event);
        let caps = caps::assumed(case, conversion);
        let question = Question {
            conversion_id: Some(conversion.conversion_id.clone()),
            click_id: conversion.click_id.clone().filter(|_| is_one_per_click),
            is_test: conversion.is_test,
            places: (case.campaign.id, caps.looked_at.clone()),
            credited_click: conversion
                .click_id
                .clone()
                .filter(|_| customer_of(case).is_some() || must_know_erased(case)),
            ..Question::about(case)
        };
        let initial = event.map(|event| events::assumed_initial(case, event, conversion));
        let is_doubtful = is_doubtful(case.campaign, conversion, case.click.link());
        Self { question, is_one_per_click, initial, caps, is_doubtful }
    }
}

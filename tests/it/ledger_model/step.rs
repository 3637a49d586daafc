//! What may happen in a history, and how histories are drawn. Few clicks, orders and amounts, so
//! that they meet often.

use proptest::prelude::*;

/// Statuses that a sender or an operator may ask for, by their words.
pub const STATUSES: [&str; 5] = ["approved", "pending", "hold", "rejected", "refunded"];

/// The place of `refunded` among [`STATUSES`].
pub const REFUNDED: usize = 4;

/// Currencies that are sent; the campaign's own first. Only EUR has a rate from the beginning.
pub const CURRENCIES: [&str; 3] = ["USD", "EUR", "GBP"];

/// A postback as its sender means it. Equal ones are word for word the same request.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// Which of the clicks so far, wrapped around.
    pub click: usize,
    /// 0 for the initial conversion, else the event's number.
    pub event: u32,
    /// One of a few orders.
    pub order: Option<u8>,
    /// The amount in thousandths, so that there is something to round. Of a refund the part.
    pub milli: Option<u32>,
    /// A place in [`CURRENCIES`].
    pub currency: Option<usize>,
    /// Whether it has the goal that a payout rule is for.
    pub has_goal: bool,
    /// A place in [`STATUSES`].
    pub status: Option<usize>,
    /// The name of a refund.
    pub refund_id: Option<u8>,
}

/// An edit of the campaign and what belongs to it.
#[derive(Clone, Debug)]
pub enum Edit {
    /// The campaign pays so many cents and, if so, so many percent.
    Payout(u32, u32),
    /// The campaign earns so many cents.
    Revenue(u32),
    /// A click converts for so many days.
    Window(u32),
    /// 0 active, 1 paused, 2 archived.
    State(u8),
    /// Other money updates what is recorded, or conflicts.
    Updates(bool),
    /// Conversions count per order from now on.
    PerOrder,
    /// An event pays so many cents.
    EventPayout(u32, u32),
    /// An event counts for so many days after the conversion.
    EventWindow(u32, Option<u32>),
    /// An event is archived, or active again.
    EventState(u32, bool),
    /// A payout rule pays so many cents.
    Rule(usize, u32),
    /// A payout rule is archived, or active again.
    RuleState(usize, bool),
    /// The first rate of EUR becomes so many ten-thousandths.
    Rate(u32),
    /// A currency gets another rate, from now on or since long ago.
    NewRate(usize, u32, bool),
}

/// One step of a history.
#[derive(Clone, Debug)]
pub enum Step {
    /// Somebody follows the link of affiliate 1 or 2, in Germany or in Austria.
    Click { link: u32, is_austrian: bool },
    /// A postback.
    Send(Sent),
    /// One of the postbacks so far comes again, word for word.
    Again(usize),
    /// An operator sets the status of one of the conversions so far, or refunds it: under one of a
    /// few names, so many cents or all.
    Operate { sale: usize, status: usize, refund_id: Option<u8>, cents: Option<u32> },
    /// An operator edits.
    Edit(Edit),
    /// Time passes, in hours.
    Wait(u32),
    /// What was refused is judged again: for the reason at this place, or all of it.
    JudgeAgain(Option<usize>),
}

/// Reasons by which postbacks are judged again.
pub const REASONS: [&str; 3] = ["no_conversion_for_event", "no_exchange_rate", "campaign_archived"];

/// Amounts in thousandths, among them ones that end in half a cent.
fn milli() -> impl Strategy<Value = u32> {
    prop_oneof![
        2 => Just(10_000u32),
        2 => Just(20_000),
        1 => Just(1_005),
        1 => Just(99_995),
        1 => 10..100_000u32,
    ]
}

fn sent() -> impl Strategy<Value = Sent> {
    let currency = prop_oneof![1 => Just(0usize), 4 => Just(1), 1 => Just(2)];
    let currency = prop::option::weighted(0.4, currency);
    let event = prop_oneof![5 => Just(0u32), 2 => Just(1), 2 => Just(2), 1 => Just(3)];
    let whole = (0..4usize, event, prop::option::weighted(0.6, 0..3u8));
    let money = (prop::option::weighted(0.7, milli()), currency, prop::bool::weighted(0.2));
    // Mostly nothing, now and then a status, often enough a refund.
    let status = prop_oneof![
        8 => Just((None, None)),
        5 => (0..REFUNDED).prop_map(|status| (Some(status), None)),
        4 => prop::option::weighted(0.7, 0..3u8).prop_map(|id| (Some(REFUNDED), id)),
    ];
    (whole, money, status).prop_map(|(whole, money, status)| {
        let (click, event, order) = whole;
        let (milli, currency, has_goal) = money;
        let (status, refund_id) = status;
        // Orders are what this event is about to do without.
        let order = order.filter(|_| event != 3);
        // A part of a sale has no fractions of a cent.
        let is_refund = status == Some(REFUNDED);
        let milli = milli.map(|milli| if is_refund { milli / 40 * 10 + 10 } else { milli });
        Sent { click, event, order, milli, currency, has_goal, status, refund_id }
    })
}

fn edit() -> impl Strategy<Value = Edit> {
    let cents = 0..2_000u32;
    prop_oneof![
        1 => (cents.clone(), 0..20u32).prop_map(|(cents, percent)| Edit::Payout(cents, percent)),
        1 => cents.clone().prop_map(Edit::Revenue),
        1 => (1..4u32).prop_map(Edit::Window),
        2 => (0..3u8).prop_map(Edit::State),
        1 => any::<bool>().prop_map(Edit::Updates),
        1 => Just(Edit::PerOrder),
        1 => (1..4u32, cents.clone()).prop_map(|(event, cents)| Edit::EventPayout(event, cents)),
        1 => (1..4u32, prop::option::of(1..4u32))
            .prop_map(|(event, days)| Edit::EventWindow(event, days)),
        1 => (1..4u32, any::<bool>()).prop_map(|(event, is_active)| Edit::EventState(event, is_active)),
        1 => (0..5usize, cents).prop_map(|(rule, cents)| Edit::Rule(rule, cents)),
        1 => (0..5usize, any::<bool>()).prop_map(|(rule, is_active)| Edit::RuleState(rule, is_active)),
        1 => (1_000..20_000u32).prop_map(Edit::Rate),
        3 => (prop_oneof![2 => Just(1usize), 1 => Just(2)], 1_000..20_000u32, any::<bool>())
            .prop_map(|(currency, rate, is_old)| Edit::NewRate(currency, rate, is_old)),
    ]
}

/// A step.
pub fn step() -> impl Strategy<Value = Step> {
    let cents = prop::option::weighted(0.8, 1..3_000u32);
    prop_oneof![
        2 => (1..=2u32, prop::bool::weighted(0.3))
            .prop_map(|(link, is_austrian)| Step::Click { link, is_austrian }),
        14 => sent().prop_map(Step::Send),
        6 => (0..12usize).prop_map(Step::Again),
        5 => (0..4usize, 0..STATUSES.len(), prop::option::of(0..3u8), cents)
            .prop_map(|(sale, status, refund_id, cents)| Step::Operate { sale, status, refund_id, cents }),
        6 => edit().prop_map(Step::Edit),
        2 => (0..100u32).prop_map(Step::Wait),
        3 => prop::option::of(0..REASONS.len()).prop_map(Step::JudgeAgain),
    ]
}

/// A history.
pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..40)
}

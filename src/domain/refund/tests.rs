//! Refunds: parts, rests, repeats, and that nothing is lost or taken twice.

use super::*;
use crate::domain::click_id::Flags;
use crate::domain::conversion::Source;
use crate::domain::permission::Proof;
use crate::domain::time::Timestamp;
use proptest::prelude::*;

/// A sale of this amount that earns and pays so much.
fn sale(amount: Option<&str>, revenue: i64, payout: i64) -> Conversion {
    let currency = Currency::parse("USD").unwrap();
    let at = Timestamp::from_ms(1);
    let sent = |amount: &str| vec![("amount", amount.to_owned()), ("currency", "USD".to_owned())];
    Conversion {
        conversion_id: "cv_1".to_owned(),
        request_id: "req_1".to_owned(),
        received_at: at,
        occurred_at: at,
        source: Source::Postback,
        proof: Proof::Token,
        click_id: None,
        clicked_at: None,
        ref_id: 1,
        campaign_id: 1,
        affiliate_id: 1,
        event_id: 0,
        order_id: None,
        status: Status::Approved,
        status_reason: None,
        currency,
        amount: None,
        revenue,
        payout,
        is_test: false,
        is_lead: false,
        click_flags: Flags::COUNTED,
        country: None,
        sent_money: amount.map(sent).unwrap_or_default(),
        first_status: Status::Approved,
        first_revenue: revenue,
        first_payout: payout,
        warnings: vec![],
        kept: vec![],
        goal: None,
        comment: None,
        explanation: vec![],
        revision: 1,
        changed_by: None,
        event_name: None,
        refunds: None,
        exchange_rate: None,
        customer: None,
    }
}

fn asks<'a>(amount: &str, id: Option<&'a str>) -> Request<'a> {
    Request { amount: Decimal::parse_amount(amount), id }
}

fn take(known: &Conversion, request: Request<'_>) -> Result<Option<Conversion>, Refusal> {
    super::take(known, request, Author::Sender)
}

fn taken(known: &Conversion, request: Request<'_>) -> Conversion {
    take(known, request).unwrap().unwrap()
}

fn refusal(known: &Conversion, request: Request<'_>) -> Reason {
    take(known, request).unwrap_err().reason
}

#[test]
fn a_part_reduces_the_money_in_proportion() {
    let after = taken(&sale(Some("10"), 800, 500), asks("3", None));
    assert_eq!((after.status, after.revenue, after.payout), (Status::Approved, 560, 350));
    // 800 × 1 ÷ 3 is 266.67, and 500 × 1 ÷ 3 is 166.67: half away from zero.
    let after = taken(&sale(Some("3"), 800, 500), asks("1", None));
    assert_eq!((after.revenue, after.payout), (533, 333));
    let half = taken(&sale(Some("2"), 5, 5), asks("1", None));
    assert_eq!(half.revenue, 2, "2.5 are refunded as 3");
}

#[test]
fn a_refund_of_all_changes_the_status_only() {
    for request in [Request::default(), asks("10", None), asks("10.00", Some("r"))] {
        let after = taken(&sale(Some("10"), 800, 500), request);
        assert_eq!((after.status, after.revenue, after.payout), (Status::Refunded, 800, 500));
        let part = after.refunds.unwrap().parts[0].clone();
        assert_eq!((part.amount, part.revenue, part.payout), (1_000, 800, 500));
    }
    let after = taken(&sale(None, 800, 500), Request::default());
    assert_eq!(after.status, Status::Refunded);
}

#[test]
fn the_last_part_takes_the_rest() {
    let first = taken(&sale(Some("3"), 100, 50), asks("1", Some("a")));
    let second = taken(&first, asks("1", Some("b")));
    let last = taken(&second, asks("1", Some("c")));
    assert_eq!(last.status, Status::Refunded);
    let parts = last.refunds.unwrap().parts;
    assert_eq!(parts.iter().map(|part| part.revenue).collect::<Vec<_>>(), [33, 34, 33]);
    assert_eq!(parts.iter().map(|part| part.payout).sum::<i64>(), 50);
    assert_eq!(last.revenue, 33, "what was left stays in the row and does not count");
}

#[test]
fn more_than_is_left_is_too_large() {
    let known = sale(Some("10"), 800, 500);
    assert_eq!(refusal(&known, asks("10.01", None)), Reason::RefundTooLarge);
    let part = taken(&known, asks("6", Some("a")));
    assert_eq!(refusal(&part, asks("4.01", Some("b"))), Reason::RefundTooLarge);
    assert_eq!(taken(&part, asks("4", Some("b"))).status, Status::Refunded);
    let all = taken(&part, Request::default());
    assert_eq!(refusal(&all, asks("1", Some("c"))), Reason::RefundTooLarge);
}

#[test]
fn a_refund_counts_once_and_keeps_its_amount() {
    let known = sale(Some("10"), 800, 500);
    for id in [None, Some("a")] {
        let after = taken(&known, asks("3", id));
        assert_eq!(take(&after, asks("3.00", id)), Ok(None));
        assert_eq!(refusal(&after, asks("4", id)), Reason::Conflict);
    }
    // A name tells two of the same amount apart.
    let first = taken(&known, asks("3", Some("a")));
    assert_eq!(taken(&first, asks("3", Some("b"))).revenue, 320);
    // Without a name: one part, then all that is left.
    let rest = taken(&taken(&known, asks("3", None)), Request::default());
    assert_eq!(rest.status, Status::Refunded);
    assert_eq!(take(&rest, Request::default()), Ok(None));
    assert_eq!(take(&rest, asks("3", None)), Ok(None));
}

#[test]
fn only_what_counts_is_taken_back() {
    for status in [Status::Pending, Status::Hold, Status::Rejected] {
        let known = Conversion { status, ..sale(Some("10"), 800, 500) };
        assert_eq!(refusal(&known, Request::default()), Reason::InvalidTransition);
    }
}

#[test]
fn a_part_needs_an_amount_to_be_part_of() {
    assert_eq!(refusal(&sale(None, 800, 500), asks("3", None)), Reason::InvalidParameter);
    assert_eq!(refusal(&sale(Some("10"), 800, 500), asks("0", None)), Reason::InvalidParameter);
    let long = "x".repeat(129);
    let request = asks("1", Some(&long));
    assert_eq!(refusal(&sale(Some("10"), 800, 500), request), Reason::InvalidParameter);
}

#[test]
fn a_sale_takes_a_bounded_number_of_refunds() {
    let mut known = sale(Some("1000"), 800, 500);
    for number in 0..MAX_PARTS {
        known = taken(&known, asks("1", Some(&number.to_string())));
    }
    assert_eq!(refusal(&known, asks("1", Some("more"))), Reason::InvalidParameter);
}

#[test]
fn refunds_are_taken_off_the_money_that_is_reported_anew() {
    let mut known = taken(&sale(Some("10"), 800, 500), asks("5", None));
    known.sent_money = vec![("amount", "20".to_owned()), ("currency", "USD".to_owned())];
    (known.revenue, known.payout) = (1_600, 1_000);
    take_again(&mut known).unwrap();
    assert_eq!((known.revenue, known.payout), (1_200, 750));
    known.sent_money = vec![("amount", "5".to_owned()), ("currency", "USD".to_owned())];
    assert_eq!(take_again(&mut known).unwrap_err().reason, Reason::RefundTooLarge);
}

proptest! {
    #[test]
    fn the_parts_never_exceed_the_whole_and_add_up_to_it(
        cents in 1i64..5_000,
        revenue in 0i64..1_000_000,
        payout in 0i64..1_000_000,
        parts in prop::collection::vec(1i64..2_000, 1..20),
    ) {
        let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
        let mut known = sale(Some(&money(cents)), revenue, payout);
        let mut left = cents;
        for (number, part) in parts.into_iter().enumerate() {
            let id = number.to_string();
            match take(&known, asks(&money(part), Some(&id))) {
                Ok(after) => {
                    left -= part;
                    known = after.unwrap();
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.reason, Reason::RefundTooLarge);
                    prop_assert!(part > left);
                }
            }
            prop_assert_eq!(known.status == Status::Refunded, left == 0);
            prop_assert!(known.revenue >= 0 && known.payout >= 0);
        }
        if left > 0 {
            known = taken(&known, Request::default());
        }
        let refunds = known.refunds.unwrap();
        prop_assert!(refunds.parts.iter().all(|part| part.revenue >= 0 && part.payout >= 0));
        prop_assert_eq!(refunds.parts.iter().map(|part| part.revenue).sum::<i64>(), revenue);
        prop_assert_eq!(refunds.parts.iter().map(|part| part.payout).sum::<i64>(), payout);
        prop_assert_eq!(refunds.parts.iter().map(|part| part.amount).sum::<i64>(), cents);
    }
}

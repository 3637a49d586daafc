//! The controls: mistakes of the model and of the world, each of which has to be found.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestError, TestRng, TestRunner};

use super::model::Flaw;
use super::step::{REFUNDED, Sent, Step, steps};
use super::{History, run};
use crate::support::World;

/// The smallest history that finds a mistake of the model, and what it says.
fn found(flaw: Flaw, max_shrink_iters: u32) -> Option<(Vec<Step>, String)> {
    let config = ProptestConfig {
        cases: 400,
        max_shrink_iters,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let told = Cell::new(String::new());
    let failed = TestRunner::new_with_rng(config, rng).run(&steps(), |steps| {
        run(&steps, flaw).map_err(|what| {
            told.set(what.clone());
            TestCaseError::fail(what)
        })
    });
    match failed {
        Ok(()) => None,
        Err(TestError::Fail(_, steps)) => Some((steps, told.take())),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

#[test]
fn every_mistake_of_the_model_is_found() {
    for flaw in Flaw::ALL {
        assert!(found(flaw, 0).is_some(), "{flaw:?} is not found");
    }
}

#[test]
fn what_is_found_is_made_small() {
    let (steps, told) = found(Flaw::RepeatsCount, 200).unwrap();
    // A postback, and the same once more; little else.
    assert!(steps.len() <= 6, "{told}: {steps:#?}");
}

#[test]
fn every_mistake_in_the_rows_is_found() {
    let sent = Sent {
        click: 0,
        event: 0,
        order: Some(0),
        milli: Some(20_000),
        currency: None,
        has_goal: false,
        status: None,
        refund_id: None,
    };
    let steps = [
        Step::Click { link: 1, is_austrian: false },
        Step::Send(sent.clone()),
        Step::Send(Sent { event: 1, order: None, ..sent.clone() }),
        Step::Send(Sent { status: Some(REFUNDED), milli: Some(5_000), ..sent.clone() }),
        Step::Send(Sent { event: 1, order: Some(1), ..sent }),
    ];
    for (breaks, complaint) in [
        ("SELECT 1", None),
        ("UPDATE conversions SET payout = payout + 1 WHERE event_id = 1", Some("payout is")),
        ("UPDATE conversions SET revenue = 800 WHERE event_id = 0", Some("revenue is")),
        ("UPDATE conversions SET affiliate_id = 2", Some("affiliate_id is")),
        ("DELETE FROM conversions WHERE event_id = 1", Some("1 conversions, not 2")),
        (
            "UPDATE conversions SET event_id = 0, order_id = 'X' WHERE event_id = 1",
            Some("counts twice"),
        ),
        ("DELETE FROM changes", Some("0 lines for 1 changes")),
        (
            "UPDATE inbox SET verdict = 'duplicate', reason = NULL WHERE verdict = 'rejected'",
            Some("refused is"),
        ),
    ] {
        let world = World::new();
        let mut history = History::new(&world, Flaw::None);
        steps.iter().for_each(|step| history.run(step).unwrap());
        world.database().execute(breaks);
        let told = history.holds();
        match complaint {
            None => assert_eq!(told, Ok(())),
            Some(complaint) => {
                let told = told.expect_err(breaks);
                assert!(told.contains(complaint), "{breaks}: {told}");
            }
        }
    }
}

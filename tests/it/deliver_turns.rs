//! Whose turn it is: fair shares, receivers in trouble, two senders, crashes. Each delivery arrives
//! at least once, under one name.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use backtrail::domain::time::{HOUR_MS, SECOND_MS};
use serde_json::Value;

use crate::support::database::Break;
use crate::support::receivers::{Reaction, runs};
use crate::support::sending::{get, header, post};
use crate::support::{Sending, World};

fn hook(id: u32) -> Value {
    post(&format!("https://r{id}.example/in"))
}

/// Polls both in turn until both have ended.
async fn both<A, B>(a: impl Future<Output = A>, b: impl Future<Output = B>) -> (A, B) {
    let (mut a, mut b) = (pin!(a), pin!(b));
    let (mut of_a, mut of_b) = (None, None);
    std::future::poll_fn(move |context| {
        if of_a.is_none()
            && let Poll::Ready(value) = a.as_mut().poll(context)
        {
            of_a = Some(value);
        }
        if of_b.is_none()
            && let Poll::Ready(value) = b.as_mut().poll(context)
        {
            of_b = Some(value);
        }
        match (of_a.take(), of_b.take()) {
            (Some(a), Some(b)) => Poll::Ready((a, b)),
            (a, b) => {
                (of_a, of_b) = (a, b);
                Poll::Pending
            }
        }
    })
    .await
}

/// The webhook-ids that receivers got, in order.
fn ids(demo: &Sending<'_>) -> Vec<String> {
    demo.got().iter().map(|request| header(request, "webhook-id").to_owned()).collect()
}

#[test]
fn at_most_five_requests_are_under_way_and_two_at_one_receiver() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=9 {
        demo.has_connector(id, "enabled", &hook(id));
        demo.has_waiting(id, 20);
    }
    assert_eq!(demo.sends().sent, 180);
    assert_eq!(world.receivers.most_at_once(), 5);

    let world = World::new();
    let demo = Sending::of(&world);
    // Two connectors with one receiver share what it may have.
    for id in 1..=2 {
        demo.has_connector(id, "enabled", &hook(1));
        demo.has_waiting(id, 20);
    }
    assert_eq!(demo.sends().sent, 40);
    assert_eq!(world.receivers.most_at_once(), 2);
}

#[test]
fn a_receiver_that_hangs_delays_nobody_else() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=10 {
        demo.has_connector(id, "enabled", &hook(id));
        demo.has_waiting(id, 18);
    }
    demo.reacts("r4.example", Reaction::Hangs);
    let hung = || demo.got().iter().filter(|one| one.url.contains("r4.example")).count();
    // In the run that asked it everybody else is told everything; nothing begins behind the wait.
    assert_eq!(demo.sends().sent, 9 * 18 + 1);
    assert_eq!(hung(), 1);
    for id in (1..=10).filter(|id| *id != 4) {
        assert!(demo.states(id).iter().all(|state| state == "delivered"));
    }
    assert_eq!(*demo.wakes.borrow(), [0], "the rest of the tenth is for the next run");
    // It is asked five times in a row, one at a time, and then left alone.
    for asked in 2..=5 {
        demo.sends();
        assert_eq!(hung(), asked);
    }
    assert_eq!(demo.sends().sent, 0);
    assert!(demo.states(4).iter().all(|state| state == "waiting"));
}

/// Ten connectors of which some hang, with as much waiting for each.
fn with_hanging<'w>(world: &'w World, hanging: &[u32]) -> Sending<'w> {
    let demo = Sending::of(world);
    for id in 1..=10 {
        demo.has_connector(id, "enabled", &hook(id));
        demo.has_waiting(id, 12);
    }
    for id in hanging {
        demo.reacts(&format!("r{id}.example"), Reaction::Hangs);
    }
    demo
}

fn are_delivered(demo: &Sending<'_>, but: &[u32]) -> bool {
    let is_done = |id| demo.states(id).iter().all(|state| state == "delivered");
    (1..=10).filter(|id| !but.contains(id)).all(is_done)
}

#[test]
fn four_receivers_that_hang_delay_nobody_else() {
    for hanging in [[1, 2, 3, 4], [2, 5, 8, 10], [7, 8, 9, 10]] {
        let world = World::new();
        let demo = with_hanging(&world, &hanging);
        demo.sends();
        assert!(are_delivered(&demo, &hanging), "{hanging:?}");
    }
}

#[test]
fn whoever_has_answered_is_told_everything_however_many_hang() {
    for first in 0..10 {
        let hanging: Vec<u32> = (0..5).map(|n| (first + n) % 10 + 1).collect();
        let world = World::new();
        let demo = with_hanging(&world, &hanging);
        demo.sends();
        let told = |id: &u32| demo.states(*id).iter().filter(|one| *one == "delivered").count();
        let told: Vec<usize> =
            (1..=10).filter(|id| !hanging.contains(id)).map(|id| told(&id)).collect();
        assert!(told.iter().all(|told| [0, 12].contains(told)), "{hanging:?}: {told:?}");
    }
}

#[test]
fn more_that_hang_delay_others_by_one_timeout_and_then_by_nothing() {
    for hanging in [vec![1, 2, 3, 4, 5], vec![1, 3, 5, 7, 9], vec![4, 5, 6, 7, 8, 9, 10]] {
        let world = World::new();
        let demo = with_hanging(&world, &hanging);
        let began = world.now();
        demo.sends();
        assert!(world.now().ms_since(began) <= 15 * SECOND_MS);
        if !are_delivered(&demo, &hanging) {
            assert_eq!(*demo.wakes.borrow(), [0]);
            demo.sends();
        }
        assert!(are_delivered(&demo, &hanging), "{hanging:?}");
        // From then on two of them are asked at once.
        let before = demo.got().len();
        demo.sends();
        assert_eq!(demo.got().len() - before, 2);
    }
}

#[test]
fn what_a_hanging_receiver_kept_from_being_sent_is_another_runs_at_once() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=3 {
        demo.has_connector(id, "enabled", &hook(1));
        demo.has_waiting(id, 1);
    }
    demo.reacts("r1.example", Reaction::Hangs);
    for sent in 1..=3 {
        // Nothing begins after fourteen seconds, and the receiver is asked once at a time.
        assert_eq!(demo.sends().sent, 1);
        assert_eq!(demo.wakes.borrow().last(), Some(&0));
        assert_eq!(demo.got().len(), sent);
        assert!((1..=3).all(|id| demo.states(id) == ["waiting"]));
    }
}

#[test]
fn a_connector_with_much_waiting_leaves_others_their_share() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 1_000);
    demo.has_connector(2, "enabled", &hook(2));
    demo.has_waiting(2, 10);
    demo.sends();
    let got = demo.got();
    let last = got.iter().rposition(|request| request.url.contains("r2.example")).unwrap();
    assert!(last < 40, "{last}");
    assert!(demo.wakes.borrow().contains(&0), "the rest is for the next run");
    while demo.sends().sent > 0 {}
    assert!(demo.states(1).iter().all(|state| state == "delivered"));
    assert_eq!(demo.got().len(), 1_010);
}

#[test]
fn a_receiver_that_keeps_failing_is_paused_probed_once_and_resumes_by_itself() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 20);
    demo.reacts("r1.example", Reaction::Answers(503));
    demo.sends();
    assert_eq!(demo.got().len(), 5);
    assert_eq!(demo.sends().sent, 0, "it is paused");
    world.waits_ms(29 * SECOND_MS);
    assert_eq!(demo.sends().sent, 0);
    world.waits_ms(SECOND_MS);
    assert_eq!(demo.sends().sent, 1, "one finds out that it is not back");
    world.waits_ms(59 * SECOND_MS);
    assert_eq!(demo.sends().sent, 0, "the second pause is twice as long");
    world.waits_ms(SECOND_MS);
    demo.reacts("r1.example", Reaction::Answers(200));
    while demo.sends().sent > 0 {}
    world.waits_ms(HOUR_MS);
    while demo.sends().sent > 0 {}
    assert!(demo.states(1).iter().all(|state| state == "delivered"));
    assert!(world.database().rows("SELECT * FROM receivers").is_empty());
    // Nothing but the attempts that were made is counted.
    let attempts: u64 = demo.deliveries(1).iter().map(|d| d["attempts"].as_u64().unwrap()).sum();
    assert_eq!(attempts as usize, demo.got().len());
}

#[test]
fn what_happens_to_one_namespaces_deliveries_pauses_nobody_elses() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 8);
    demo.reacts("r1.example", Reaction::Resets);
    demo.sends();
    world.root().creates("namespaces", serde_json::json!({ "name": "other" }));
    demo.speaks_of("other");
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 8);
    demo.reacts("r1.example", Reaction::Answers(200));
    demo.sends();
    assert!(demo.states(1).iter().all(|state| state == "delivered"));
    demo.speaks_of("demo");
    assert!(demo.states(1).iter().all(|state| state == "waiting"), "its own receiver is paused");
}

#[test]
fn two_senders_never_make_the_same_attempt() {
    let world = World::new();
    let demo = Sending::of(&world);
    let other = demo.beside();
    for id in 1..=3 {
        demo.has_connector(id, "enabled", &hook(id));
        demo.has_waiting(id, 100);
    }
    demo.reacts("r2.example", Reaction::Answers(500));
    runs(both(demo.sends_once(), other.sends_once()));
    let mut ids = ids(&demo);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
    assert!(count >= 200);
}

#[test]
fn control_without_leases_two_senders_make_the_same_attempts() {
    let world = World::new();
    let demo = Sending::of(&world);
    let other = demo.beside();
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 20);
    demo.execute(
        "CREATE TRIGGER forget AFTER UPDATE OF lease ON deliveries WHEN new.lease IS NOT NULL BEGIN \
         UPDATE deliveries SET due_at = created_at WHERE namespace = new.namespace AND delivery_id = new.delivery_id; END",
    );
    runs(both(demo.sends_once(), other.sends_once()));
    let mut ids = ids(&demo);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert!(ids.len() < count, "the test could not fail");
}

#[test]
fn what_a_crash_interrupts_is_sent_again_under_the_same_name() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &hook(1));
    demo.has_waiting(1, 10);
    {
        let mut run = pin!(demo.sends_once());
        for _ in 0..4 {
            let _ = run.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        // Here the isolate dies.
    }
    let interrupted = ids(&demo);
    assert!(!interrupted.is_empty() && interrupted.len() < 10);
    let next = demo.beside();
    assert_eq!(next.sends().sent, 0, "until the lease ends nobody else has them");
    world.waits_ms(75 * SECOND_MS);
    next.sends();
    assert!(demo.states(1).iter().all(|state| state == "delivered"));
    let all = ids(&demo);
    assert!(interrupted.iter().all(|id| all.iter().filter(|other| *other == id).count() >= 1));
    let mut names = all.clone();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 10, "a repeat has the name of the first");
}

#[test]
fn whichever_answer_of_the_ledger_is_lost_everything_arrives() {
    for how in [Break::BeforeCommit, Break::AfterCommit] {
        for well in 0..6 {
            let world = World::new();
            let demo = Sending::of(&world);
            demo.has_connector(1, "enabled", &hook(1));
            demo.has_waiting(1, 40);
            world.database().breaks_after(how, well);
            demo.sends();
            world.database().mends();
            world.waits_ms(75 * SECOND_MS);
            while demo.sends().sent > 0 {}
            let case = format!("{how:?} after {well}");
            assert!(demo.states(1).iter().all(|state| state == "delivered"), "{case}");
            let mut names = ids(&demo);
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 40, "{case}");
        }
    }
}

#[test]
fn what_the_platform_does_not_send_is_given_back_uncounted() {
    let world = World::new();
    let demo = Sending::of(&world);
    demo.has_connector(1, "enabled", &get("https://r1.example/"));
    demo.has_waiting(1, 5);
    demo.reacts("r1.example", Reaction::IsNotAsked);
    assert_eq!(demo.sends().sent, 0);
    assert_eq!(demo.wakes.take(), [0]);
    assert!(demo.log(1).is_empty() && world.database().rows("SELECT * FROM receivers").is_empty());
    demo.reacts("r1.example", Reaction::Answers(200));
    assert_eq!(demo.sends().sent, 5);
    assert!(demo.deliveries(1).iter().all(|delivery| delivery["attempts"] == 1));
}

#[test]
fn a_look_goes_on_where_the_last_one_ended_so_that_all_connectors_have_their_turn() {
    let world = World::new();
    let demo = Sending::of(&world);
    for id in 1..=700 {
        demo.has_connector(id, "enabled", &hook(id));
        demo.has_waiting(id, 1);
    }
    let mut sent = 0;
    for _ in 0..4 {
        sent += demo.sends().sent;
    }
    assert_eq!(sent, 700);
}

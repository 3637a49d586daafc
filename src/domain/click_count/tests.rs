//! Which slices a run counts, by hand.

use super::*;

const MIDNIGHT: u64 = 20_000 * DAY_MS;

fn at(minutes: u64) -> Timestamp {
    Timestamp::from_ms(MIDNIGHT + minutes * MINUTE_MS)
}

/// The slices of a run in minutes of the day, and how far it comes.
fn run(watch: Watch, now: u64, most: u64) -> (Vec<u64>, u64) {
    let minutes = |time: Timestamp| (time.ms() - MIDNIGHT) / MINUTE_MS;
    let plan = watch.plan(at(now), watch.has_new.then(|| at(60)), most);
    (plan.slices.into_iter().map(minutes).collect(), minutes(plan.counted_until))
}

fn watch(until: Option<u64>, has_new: bool) -> Watch {
    Watch { counted_until: until.map(at), has_new }
}

#[test]
fn every_run_counts_the_slices_that_may_still_get_clicks() {
    assert_eq!(run(watch(Some(90), false), 97, 9), (vec![90, 95], 90));
    assert_eq!(run(watch(Some(90), false), 100, 9), (vec![90, 95, 100], 95));
    assert_eq!(run(watch(Some(95), false), 101, 9), (vec![95, 100], 95));
}

#[test]
fn a_new_cap_and_a_late_page_are_caught_up_with_in_steps() {
    assert_eq!(run(watch(None, true), 100, 3), (vec![60, 65, 70, 95, 100], 75));
    assert_eq!(run(watch(Some(75), false), 101, 3), (vec![75, 80, 85, 95, 100], 90));
    assert_eq!(run(watch(Some(90), false), 102, 3), (vec![90, 95, 100], 95));
    // A new one among others, before and after what was left over.
    assert_eq!(run(watch(Some(95), true), 101, 1), (vec![60, 95, 100], 65));
    assert_eq!(run(watch(Some(50), true), 101, 1), (vec![50, 95, 100], 55));
}

#[test]
fn a_job_that_stood_still_goes_on_where_it_stopped_for_two_days() {
    let now = 2 * 1440 + 100;
    assert_eq!(run(watch(Some(105), false), now, 1), (vec![105, now - 5, now], 110));
    assert_eq!(run(watch(Some(5), false), now, 1), (vec![100, now - 5, now], 105));
    // A clock that goes wrong asks for nothing that is not there yet.
    assert_eq!(run(watch(Some(500), false), 100, 1), (vec![95, 100], 95));
    let beginning = Watch { counted_until: None, has_new: true };
    let early = beginning.plan(Timestamp::from_ms(7), Some(Timestamp::from_ms(0)), 9);
    assert_eq!(early.slices, [Timestamp::from_ms(0)]);
}

#[test]
fn who_is_behind_is_known() {
    let is_behind = |until, has_new| watch(until, has_new).is_behind(at(101));
    assert!(!is_behind(Some(95), false) && !is_behind(Some(90), false));
    assert!(is_behind(Some(85), false) && is_behind(None, false) && is_behind(Some(95), true));
}

#[test]
fn a_day_begins_where_its_date_does() {
    // So many minutes after (or before) midnight in UTC.
    for begins in [-720, -345, 0, 5, 60, 825] {
        let begins = at(0).ms().checked_add_signed(begins * MINUTE_MS as i64).unwrap();
        // The day of that beginning has 25 hours, the one before was long ago.
        let date = |at: Timestamp| {
            LocalDate::utc(Timestamp::from_ms(if at.ms() < begins { 0 } else { DAY_MS }))
        };
        for minutes in [0, 1, 4, 5, 700, 1_499] {
            let now = Timestamp::from_ms(begins + minutes * MINUTE_MS);
            assert_eq!(beginning_of_day(now, date).ms(), begins, "{minutes} minutes later");
        }
    }
}

#[test]
fn what_is_counted_again_is_kept_with_its_whole_day() {
    let now = at(9 * 1440);
    let stopped = watch(Some(0), false).plan(now, None, 1);
    assert!(days_begin_after(stopped.slices[0]) > kept_since(now));
}

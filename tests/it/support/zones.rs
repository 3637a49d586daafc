//! A few time zones by hand; the Worker asks its runtime for all of them.

use backtrail::domain::cap::LocalDate;
use backtrail::domain::time::{MINUTE_MS, Timestamp};

/// Minutes ahead of UTC (behind it, where negative) in winter, and between which moments it is an
/// hour more.
type Zone = (&'static str, i64, &'static [(&'static str, &'static str)]);

const ZONES: [Zone; 7] = [
    ("UTC", 0, &[]),
    ("Asia/Tokyo", 540, &[]),
    ("Asia/Kolkata", 330, &[]),
    ("Asia/Kathmandu", 345, &[]),
    ("America/Argentina/Ushuaia", -180, &[]),
    (
        "Europe/Paris",
        60,
        &[
            ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
            ("2027-03-28T01:00:00Z", "2027-10-31T01:00:00Z"),
        ],
    ),
    // Its clocks go from midnight to one, so that this day has no midnight.
    ("Africa/Cairo", 120, &[("2027-04-29T22:00:00Z", "2027-10-28T21:00:00Z")]),
];

/// What `Settings::local_date` asks for.
pub fn local_date(name: &str, at: Timestamp) -> Option<LocalDate> {
    let (_, minutes, summers) = ZONES.iter().find(|(zone, ..)| *zone == name)?;
    let time = |text: &&str| Timestamp::parse(text).unwrap();
    let is_summer = summers.iter().any(|(from, to)| (time(from)..time(to)).contains(&at));
    let ahead = minutes + 60 * i64::from(is_summer);
    let local = at.ms().checked_add_signed(ahead * MINUTE_MS as i64)?;
    Some(LocalDate::utc(Timestamp::from_ms(local)))
}

//! Host tests: the same SQL, migrations and route table as the Worker's, over SQLite in memory and
//! a map instead of D1 and KV. Each test's name is a sentence about what Backtrail does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    unreachable_pub,
    reason = "tests say what they expect by panicking, and nothing outside sees their modules"
)]

mod api;
mod api_access;
mod api_events;
mod api_hostile;
mod api_links;
mod api_past;
mod api_strict;
mod arrivals;
mod attribution;
mod attribution_costs;
mod attribution_model;
mod cap_api;
mod cap_model;
mod cap_periods;
mod cap_race;
mod cap_redirects;
mod caps;
mod click;
mod click_cap_model;
mod click_caps;
mod click_cold;
mod click_nowhere;
mod click_stores;
mod click_visitors;
mod collect;
mod connector_calls;
mod connector_use_cases;
mod connectors;
mod connectors_document;
mod coupons;
mod customers;
mod deliver;
mod deliver_api;
mod deliver_bounds;
mod deliver_clicks;
mod deliver_outlived;
mod deliver_turns;
mod document;
mod dry_run;
mod edits;
mod erasure;
mod erasure_copies;
mod erasure_deliveries;
mod erasure_orders;
mod erasure_traces;
mod event_payouts;
mod events;
mod events_repeat;
mod explain;
mod fixtures;
mod fixtures_documented;
mod hostile;
mod judge_again;
mod judge_many_again;
mod ledger_model;
mod migrating;
mod migrations;
mod openapi;
mod order_names;
mod outbox;
mod outbox_guards;
mod outbox_model;
mod payout_examples;
mod payout_model;
mod payouts;
mod pixels;
mod postback;
mod postback_access;
mod postback_forms;
mod postback_kept;
mod postback_money;
mod postback_repeat;
mod postback_rush;
mod postback_signed;
mod quality;
mod quality_rows;
mod quality_visitors;
mod rates;
mod refused_site_events;
mod retired_keys;
mod schema;
mod simulation;
mod status_api;
mod status_model;
mod status_race;
mod statuses;
mod strangers;
#[allow(dead_code, reason = "what the fakes can do is wider than what is tested so far")]
mod support;
mod test_clicks;
mod test_orders;
mod tidy;
mod told_amounts;
mod touches;
mod written_rows;

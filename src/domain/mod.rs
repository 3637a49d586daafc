//! What is true: values and decisions.
//!
//! Here live parsing, identity, money and judgement, as plain functions of their arguments.
//! Not here: async, I/O, the clock, randomness, HTTP status codes (`http/`), SQL (`store/`).
//! Types of this layer are not serialised; whoever stores or sends one converts it by hand,
//! because a serialised type is a promise.

pub mod attribution;
pub mod cap;
pub mod click_count;
pub mod click_id;
pub mod click_parameters;
pub mod click_rules;
pub mod configuration;
pub mod connector;
pub mod contact;
pub mod conversion;
pub mod cookie;
pub mod data_centres;
pub mod delivery;
pub mod encoding;
pub mod erasure;
pub mod event;
pub mod examination;
pub mod exchange;
pub mod judgement;
pub mod money;
pub mod namespace;
pub mod near;
pub mod network;
pub mod parameters;
pub mod payout;
pub mod permission;
pub mod postback;
pub mod refund;
pub mod signature;
pub mod template;
pub mod test_click;
pub mod time;
pub mod touch;
pub mod trace;
pub mod transition;
pub mod verdict;
pub mod visit;
pub mod web_address;

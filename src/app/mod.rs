//! What happens: one function per use case, over ports whose docs state the guarantee.
//!
//! Sequence and repeatability live here. Not here: decisions (`domain/`), SQL (`store/`), status
//! codes (`http/`), the platform (`edge/`).

pub mod access;
pub mod agents;
pub mod answers;
pub mod arrive;
pub mod bins;
pub mod catalog;
pub mod collect;
pub mod connectors;
pub mod count_clicks;
pub mod deliver;
pub mod deliveries;
pub mod doubts;
pub mod erase;
pub mod errands;
pub mod examine;
pub mod explain;
pub mod follow;
pub mod full_caps;
pub mod history;
pub mod judge;
pub mod judge_again;
pub mod leases;
pub mod memory;
pub mod outbox;
pub mod outlived;
pub mod pages;
mod parties;
pub mod pixels;
pub mod ports;
pub mod rate;
pub mod recent;
pub mod refusals;
pub mod sender;
pub mod settings;
pub mod situate;
pub mod statuses;
pub mod steps;
pub mod touches;
pub mod wake;

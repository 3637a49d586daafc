//! Backtrail: an affiliate and postback tracker that runs as one Worker on Cloudflare's edge.
//!
//! A tour of the layers, in reading order; each layer's doc says what does not belong there.
//! [`domain`] decides, [`app`] sequences, [`http`] translates, [`store`] writes down, and `edge`
//! (compiled for the Worker only) connects them to the platform.

pub mod app;
pub mod domain;
pub mod http;
pub mod store;

#[cfg(target_arch = "wasm32")]
pub mod edge;

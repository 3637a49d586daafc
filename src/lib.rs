//! Backtrail: an affiliate and postback tracker that runs as one Worker on Cloudflare's edge.

#[cfg(target_arch = "wasm32")]
mod edge;

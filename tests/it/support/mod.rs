//! What the tests stand on: executors for the store's two seams, a way to run futures, and a
//! world with people who make requests.

pub mod blobs;
pub mod database;
pub mod edge;
pub mod receivers;
pub mod sending;
pub mod shop;
pub mod visitor;
pub mod world;
pub mod zones;

pub use blobs::MapBlobs;
pub use database::SqliteDatabase;
pub use edge::Edge;
pub use receivers::{Receivers, silent};
pub use sending::Sending;
pub use shop::Shop;
pub use world::{Operator, World};

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Runs a future to its end. Nothing here ever waits, so one that pends is a mistake.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a future of a host test waits for something"),
    }
}

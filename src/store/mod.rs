//! How it is written down: SQL statements, row and key types, and the ports of `app/` over them.
//!
//! This layer does no I/O. It speaks to two executors, [`Database`] (D1 on the platform, SQLite in
//! the host tests) and [`Blobs`] (KV there, a map here), so that the tests run the same SQL, the
//! same migrations and the same conversions as the Worker. Not here: decisions; SQL guards what
//! `domain/` decided, it never chooses.

pub mod executor;

pub use executor::{BlobFault, Blobs, Database, DatabaseFault, Row, Statement, Value};

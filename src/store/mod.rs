//! How it is written down: SQL statements, row and key types, and the ports of `app/` over them.
//!
//! This layer does no I/O. It speaks to two executors, [`Database`] (D1 on the platform, SQLite in
//! the host tests) and [`Blobs`] (KV there, a map here), so that the tests run the same SQL, the
//! same migrations and the same conversions as the Worker. Not here: decisions; SQL guards what
//! `domain/` decided, it never chooses.

use std::rc::Rc;

mod allowance;
mod answer_copies;
mod attribution_rows;
pub(crate) mod cap_rows;
mod cap_use_rows;
mod catalog;
mod changes;
mod click_count_rows;
mod click_rows;
mod click_rule_rows;
mod configuration;
mod configuration_copies;
mod conversion_row;
mod customer_rows;
mod doubt_rows;
mod erased_rows;
mod erasure;
mod erasure_copies;
mod event_rows;
pub mod executor;
mod explain;
mod facts_rows;
mod history;
mod inbox_row;
mod initial_guard;
pub mod json;
pub(crate) mod json_text;
mod judge_again;
pub mod keys;
mod ledger;
mod link_row;
pub mod payout_rows;
mod row;
mod settings_rows;
mod sql;
mod vitals;

pub use allowance::Allowance;
pub use executor::{BlobFault, Blobs, Database, DatabaseFault, Statement, Value};
pub use row::Row;

use crate::app::memory::Memory;
use crate::app::ports::Unavailable;
use crate::app::settings::Settings;

/// The ports of `app/` over the two executors.
pub struct Stores<D, B> {
    /// The ledger.
    pub database: D,
    /// The copies.
    pub blobs: B,
    /// What the isolate remembers of the configuration.
    pub memory: Rc<Memory>,
    /// What the installation is set up with.
    pub settings: Rc<Settings>,
    /// Where failures of the stores are told; never anything of a visitor or sender.
    pub log: fn(&str),
    /// What a long task of this invocation may still ask of the ledger.
    pub allowance: Allowance,
}

impl<D: Database, B: Blobs> Stores<D, B> {
    /// Runs a batch; why it failed is for the log, the caller only needs to know that it did.
    async fn run(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, Unavailable> {
        if !self.allowance.take(statements.len()) {
            return Err(Unavailable);
        }
        self.database.batch(statements).await.map_err(|fault| {
            let (DatabaseFault::Unavailable(text) | DatabaseFault::Constraint(text)) = fault;
            (self.log)(&format!("ledger: {text}"));
            self.allowance.note_failure();
            Unavailable
        })
    }

    /// The single row of a single statement.
    async fn row(&self, statement: Statement) -> Result<Option<Row>, Unavailable> {
        let results = self.run(vec![statement]).await?;
        Ok(results.into_iter().next().and_then(|rows| rows.into_iter().next()))
    }
}

/// The hash of 64 hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}

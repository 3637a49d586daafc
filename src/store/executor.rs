//! The two narrow seams between the store and where it runs.

use std::borrow::Cow;
use std::future::Future;

use super::row::Row;

/// A bound parameter. D1 binds numbers as doubles, so integers stay below 2^53.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// An integer below 2^53.
    Integer(i64),
    /// Text without NUL: SQLite's `length()` and D1's JSON stop at it.
    Text(String),
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Integer(i64::from(number))
    }
}
impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Integer(i64::from(truth))
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One SQL statement with its parameters, numbered `?1`, `?2`… in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// The text. Never holds a value from outside.
    pub sql: Cow<'static, str>,
    /// The values of `?1`, `?2`…; D1 takes at most 100.
    pub parameters: Vec<Value>,
}

impl Statement {
    /// A statement of a constant text.
    pub fn new(sql: impl Into<Cow<'static, str>>, parameters: Vec<Value>) -> Self {
        Self { sql: sql.into(), parameters }
    }
}

/// Why a batch did not happen. In either case nothing, or (if the connection broke) everything of
/// it was written; therefore every batch may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseFault {
    /// No answer, an overload, or an error of ours; the text is for the log.
    Unavailable(String),
    /// A constraint of the schema refused a row; the text names it (`UNIQUE constraint failed: …`).
    Constraint(String),
}

/// Runs statements as one transaction.
pub trait Database {
    /// Runs all statements or none, in their order, and gives the rows of each.
    fn batch(
        &self,
        statements: Vec<Statement>,
    ) -> impl Future<Output = Result<Vec<Vec<Row>>, DatabaseFault>>;
}

/// The blob store did not answer; the text is for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobFault(pub String);

/// Keeps texts under names, eventually consistent: a miss never proves absence.
pub trait Blobs {
    /// The text under a key.
    fn get(&self, key: &str) -> impl Future<Output = Result<Option<String>, BlobFault>>;
    /// The texts under keys, in their order, with one call; at most 100 keys.
    fn get_many(
        &self,
        keys: &[String],
    ) -> impl Future<Output = Result<Vec<Option<String>>, BlobFault>>;
    /// Puts a text under a key; it expires after `ttl_seconds` (at least 60), or never.
    fn put(
        &self,
        key: &str,
        text: &str,
        ttl_seconds: Option<u64>,
    ) -> impl Future<Output = Result<(), BlobFault>>;
    /// Forgets a key.
    fn delete(&self, key: &str) -> impl Future<Output = Result<(), BlobFault>>;
    /// The first keys that begin with a prefix, in their order, at most `limit`.
    fn list(
        &self,
        prefix: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, BlobFault>>;
}

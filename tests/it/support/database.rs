//! `store::Database` over SQLite in memory, with D1's manners: numbers are bound as doubles, a
//! statement takes at most 100 parameters, foreign keys are enforced, a batch is a transaction.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::OnceLock;

use backtrail::store::{Database, DatabaseFault, Row, Statement, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, params_from_iter};

/// D1's bound on the parameters of a statement.
const MAX_PARAMETERS: usize = 100;

/// D1's bound on a text in bytes; its local stand-in does not enforce it.
const MAX_TEXT: usize = 2_000_000;

/// How a broken database fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Nothing is written, and the caller is told so.
    BeforeCommit,
    /// Everything is written, but the answer is lost.
    AfterCommit,
    /// Everything is written, but no answer ever comes: whoever waits for it is cancelled.
    Silent,
}

/// An empty ledger in memory.
pub struct SqliteDatabase {
    connection: RefCell<Connection>,
    /// How the batches fail, after how many good ones, and how many of them.
    broken: Cell<Option<(Break, usize, usize)>>,
    batches: Cell<usize>,
    statements: Cell<usize>,
    last: RefCell<Vec<Statement>>,
    /// Every text of SQL that was run, with the values of its first time.
    seen: RefCell<BTreeMap<String, Statement>>,
}

/// What the migrations make of an empty database, as SQLite writes it down. They are applied once:
/// altering tables over and over would take most of the time of most tests.
fn schema() -> &'static str {
    static SCHEMA: OnceLock<String> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let connection = Connection::open_in_memory().unwrap();
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|e| e == "sql"))
            .collect();
        files.sort();
        for file in files {
            connection.execute_batch(&std::fs::read_to_string(file).unwrap()).unwrap();
        }
        let rows = |sql: &str| run(&connection, &Statement::new(sql.to_owned(), vec![])).unwrap();
        // Tables first, because everything else is about one.
        let parts = rows(
            "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' \
             ORDER BY type <> 'table', rowid",
        );
        for part in parts.iter().filter(|part| part["type"] == "table") {
            let name = part["name"].as_str().unwrap();
            assert!(rows(&format!("SELECT 1 FROM {name}")).is_empty(), "a migration fills {name}");
        }
        parts.iter().map(|part| format!("{};\n", part["sql"].as_str().unwrap())).collect()
    })
}

impl SqliteDatabase {
    /// A database with every migration applied, in the order of their names.
    pub fn new() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        connection.execute_batch(schema()).unwrap();
        Self {
            connection: RefCell::new(connection),
            broken: Cell::new(None),
            batches: Cell::new(0),
            statements: Cell::new(0),
            last: RefCell::default(),
            seen: RefCell::default(),
        }
    }

    /// Makes the next `times` batches fail.
    pub fn breaks(&self, how: Break, times: usize) {
        self.broken.set(Some((how, 0, times)));
    }

    /// Lets `well` batches happen and makes the one after them fail.
    pub fn breaks_after(&self, how: Break, well: usize) {
        self.broken.set(Some((how, well, 1)));
    }

    /// Ends a failure early.
    pub fn mends(&self) {
        self.broken.set(None);
    }

    /// How many round trips there were.
    pub fn batches(&self) -> usize {
        self.batches.get()
    }

    /// How many statements there were; D1 counts these.
    pub fn statements(&self) -> usize {
        self.statements.get()
    }

    /// How SQLite goes about the statements of the last batch, a line per step: which index it
    /// searches, what it scans.
    pub fn plan(&self) -> String {
        let steps = self.last.borrow().iter().flat_map(|s| self.steps(s)).collect::<Vec<_>>();
        steps.iter().map(|step| format!("{step}\n")).collect()
    }

    /// The same for every text of SQL that was ever run: the text and its steps.
    pub fn plans(&self) -> Vec<(String, Vec<String>)> {
        let seen = self.seen.borrow();
        seen.iter().map(|(sql, statement)| (sql.clone(), self.steps(statement))).collect()
    }

    fn steps(&self, statement: &Statement) -> Vec<String> {
        let sql = format!("EXPLAIN QUERY PLAN {}", statement.sql);
        let explained = Statement::new(sql, statement.parameters.clone());
        let steps = run(&self.connection.borrow(), &explained).unwrap();
        steps.iter().map(|step| step["detail"].as_str().unwrap().to_owned()).collect()
    }

    /// The rows of one statement without parameters, past any failure; for looking.
    pub fn rows(&self, sql: &str) -> Vec<Row> {
        run(&self.connection.borrow(), &Statement::new(sql.to_owned(), vec![])).unwrap()
    }

    /// Runs statements without parameters, past any failure; for arranging.
    pub fn execute(&self, sql: &str) {
        self.connection.borrow().execute_batch(sql).unwrap();
    }

    fn commits(&self, statements: &[Statement]) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        let mut connection = self.connection.borrow_mut();
        let transaction = connection.transaction().unwrap();
        let rows: Result<Vec<_>, _> = statements.iter().map(|s| run(&transaction, s)).collect();
        let rows = rows.map_err(fault)?;
        // Foreign keys are checked at the end of each statement, so a commit cannot fail.
        transaction.commit().unwrap();
        Ok(rows)
    }

    fn takes_failure(&self) -> Option<Break> {
        let (how, well, times) = self.broken.get()?;
        if well > 0 {
            self.broken.set(Some((how, well - 1, times)));
            return None;
        }
        self.broken.set((times > 1).then(|| (how, 0, times - 1)));
        Some(how)
    }
}

impl Database for SqliteDatabase {
    async fn batch(&self, statements: Vec<Statement>) -> Result<Vec<Vec<Row>>, DatabaseFault> {
        self.batches.set(self.batches.get() + 1);
        self.statements.set(self.statements.get() + statements.len());
        self.last.replace(statements.clone());
        for statement in &statements {
            let mut seen = self.seen.borrow_mut();
            if !seen.contains_key(statement.sql.as_ref()) {
                seen.insert(statement.sql.to_string(), statement.clone());
            }
        }
        let failure = self.takes_failure();
        if failure == Some(Break::BeforeCommit) {
            return Err(DatabaseFault::Unavailable("broken before the commit".into()));
        }
        let texts = statements.iter().flat_map(|statement| &statement.parameters);
        if texts.filter_map(length).any(|length| length > MAX_TEXT) {
            return Err(DatabaseFault::Unavailable("string or blob too big".into()));
        }
        let rows = self.commits(&statements)?;
        if failure == Some(Break::Silent) {
            std::future::pending::<()>().await;
        }
        match failure {
            Some(_) => Err(DatabaseFault::Unavailable("broken after the commit".into())),
            None => Ok(rows),
        }
    }
}

fn run(connection: &Connection, statement: &Statement) -> rusqlite::Result<Vec<Row>> {
    let sql = &statement.sql;
    assert!(statement.parameters.len() <= MAX_PARAMETERS, "too many parameters: {sql}");
    let mut prepared = connection.prepare(sql)?;
    assert_eq!(prepared.parameter_count(), statement.parameters.len(), "parameters of {sql}");
    let names: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = prepared.query(params_from_iter(statement.parameters.iter().map(bind)))?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let read = |(i, name): (usize, &String)| Ok((name.clone(), json(row.get_ref(i)?)));
        let object: rusqlite::Result<serde_json::Map<_, _>> =
            names.iter().enumerate().map(read).collect();
        out.push(Row::Object(object?));
    }
    Ok(out)
}

fn length(value: &Value) -> Option<usize> {
    match value {
        Value::Text(text) => Some(text.len()),
        _ => None,
    }
}

fn bind(value: &Value) -> rusqlite::types::Value {
    match value {
        Value::Null => rusqlite::types::Value::Null,
        Value::Integer(number) => {
            assert!(number.unsigned_abs() < 1 << 53, "{number} is no exact double");
            rusqlite::types::Value::Real(*number as f64)
        }
        Value::Text(text) => {
            assert!(!text.contains('\0'), "NUL in {text:?}");
            rusqlite::types::Value::Text(text.clone())
        }
    }
}

fn json(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Null => serde_json::Value::Null,
        ValueRef::Integer(number) => number.into(),
        // JavaScript knows no difference between 5 and 5.0.
        ValueRef::Real(number) if number.fract() == 0.0 => (number as i64).into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap().into(),
        ValueRef::Blob(_) => panic!("no column holds a blob"),
    }
}

/// A constraint is the schema's answer; any other error is a mistake in a statement, which a test
/// should see at once.
fn fault(error: rusqlite::Error) -> DatabaseFault {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => DatabaseFault::Constraint(error.to_string()),
        _ => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::block_on;

    fn insert(name: &str) -> Statement {
        let sql = "INSERT INTO namespaces (name, created_at) VALUES (?1, ?2)";
        Statement::new(sql, vec![name.into(), 1u64.into()])
    }

    #[test]
    fn a_batch_happens_as_a_whole_or_not_at_all() {
        let database = SqliteDatabase::new();
        let batch = vec![insert("a"), insert("a")];
        let fault = block_on(database.batch(batch)).unwrap_err();
        assert!(
            matches!(fault, DatabaseFault::Constraint(text) if text.contains("namespaces.name"))
        );
        assert!(database.rows("SELECT name FROM namespaces").is_empty());
    }

    #[test]
    fn a_broken_database_fails_before_or_after_the_commit() {
        let database = SqliteDatabase::new();
        database.breaks(Break::BeforeCommit, 1);
        assert!(block_on(database.batch(vec![insert("a")])).is_err());
        database.breaks(Break::AfterCommit, 1);
        assert!(block_on(database.batch(vec![insert("b")])).is_err());
        let rows =
            block_on(database.batch(vec![Statement::new("SELECT name FROM namespaces", vec![])]));
        assert_eq!(rows.unwrap(), [[serde_json::json!({ "name": "b" })]]);
    }
}

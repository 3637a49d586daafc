//! The schema (design.md 3): it applies from nothing, explains itself, and its indexes carry the
//! statements of the hot paths. What is measured here is counted by SQLite, not estimated.

use backtrail::app::ports::Ledger as _;
use backtrail::domain::namespace::Namespace;
use backtrail::http::request::Method;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, person};
use crate::support::{Shop, World, block_on};

/// The migrations, in the order of their numbers.
fn migrations() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            (
                path.file_name().unwrap().to_str().unwrap().to_owned(),
                std::fs::read_to_string(path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn migrated() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for (name, sql) in migrations() {
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    connection
}

fn column<T: rusqlite::types::FromSql>(connection: &Connection, sql: &str) -> Vec<T> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn migrations_are_numbered_without_a_gap_and_apply_from_nothing() {
    for (index, (name, _)) in migrations().iter().enumerate() {
        assert!(
            name.starts_with(&format!("{:04}_", index + 1)) && name.ends_with(".sql"),
            "{name}"
        );
    }
    let tables: Vec<String> =
        column(&migrated(), "SELECT name FROM sqlite_schema WHERE type = 'table'");
    assert!(tables.len() >= 18, "{tables:?}");
}

#[test]
fn every_table_is_strict() {
    let loose: Vec<String> = column(
        &migrated(),
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'",
    );
    assert_eq!(loose, [""; 0]);
}

/// Columns whose name and type say everything: who, which, when it was made.
const PLAIN: &[&str] = &[
    "namespace",
    "id",
    "name",
    "created_at",
    "campaign_id",
    "affiliate_id",
    "advertiser_id",
    "ref_id",
    "click_id",
    "device",
    "os",
    "browser",
    "source",
    "currency",
    "received_at",
    "clicked_at",
    "payout_fixed",
    "state",
    "default_status",
    "goal",
    "reason",
    "detail",
    "clicks",
    "requests",
    "first_seen",
    "conversion_id",
    "order_id",
    "proof",
    "verdict",
];

/// The columns of a migration that have neither a comment nor a plain name.
fn uncommented(sql: &str) -> Vec<String> {
    let mut table = String::new();
    let mut silent = Vec::new();
    for line in sql.lines() {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.split_whitespace().next().unwrap().to_owned();
        } else if line.starts_with(')') {
            table.clear();
        } else if !table.is_empty() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_column =
                matches!(words.get(1), Some(&("TEXT" | "INTEGER" | "TEXT," | "INTEGER,")));
            if is_column
                && !line.contains(" -- ")
                && !PLAIN.contains(&words[0])
                && !words[0].starts_with("first_")
            {
                silent.push(format!("{table}.{}", words[0]));
            }
        }
    }
    silent
}

#[test]
fn every_column_is_explained() {
    for (name, sql) in migrations() {
        assert_eq!(uncommented(&sql), [""; 0], "{name}");
    }
    let control = "CREATE TABLE t (\n  name TEXT NOT NULL,\n  odd INTEGER NOT NULL,\n  told INTEGER -- why\n) STRICT;";
    assert_eq!(uncommented(control), ["t.odd"]);
}

#[test]
fn a_click_is_one_row_in_one_b_tree() {
    let connection = migrated();
    let trees: Vec<String> = column(
        &connection,
        "SELECT name FROM sqlite_schema WHERE tbl_name = 'clicks' AND rootpage > 0",
    );
    assert_eq!(trees, ["clicks"], "no rowid table beside it, no second index");
}

/// The steps of a statement's plan.
fn plan(shop: &Shop<'_>, sql: &str) -> Vec<String> {
    let steps = shop.rows(&format!("EXPLAIN QUERY PLAN {sql}"));
    steps.iter().map(|step| step["detail"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_hot_statements_search_by_their_index() {
    let world = World::new();
    let shop = Shop::open(&world);
    for (sql, expected) in [
        (
            "SELECT * FROM clicks WHERE namespace = 'demo' AND time = 1 AND page = 2 AND ordinal = 3",
            "SEARCH clicks USING PRIMARY KEY (namespace=? AND time=? AND page=? AND ordinal=?)",
        ),
        (
            "SELECT * FROM conversions WHERE namespace = 'demo' AND conversion_id = 'x'",
            "SEARCH conversions USING PRIMARY KEY (namespace=? AND conversion_id=?)",
        ),
        (
            "SELECT * FROM conversions WHERE namespace = 'demo' AND campaign_id = 1 AND event_id = 0 AND order_id = 'x' AND is_test = 0",
            "SEARCH conversions USING INDEX conversions_order (namespace=? AND order_id=? AND campaign_id=? AND event_id=? AND is_test=?)",
        ),
        (
            "SELECT * FROM inbox WHERE namespace = 'demo' AND request_id = 'x'",
            "SEARCH inbox USING PRIMARY KEY (namespace=? AND request_id=?)",
        ),
        (
            "SELECT * FROM inbox WHERE namespace = 'demo' AND request_id > 'x' ORDER BY request_id LIMIT 50",
            "SEARCH inbox USING PRIMARY KEY (namespace=? AND request_id>?)",
        ),
        (
            "SELECT * FROM conversions WHERE namespace = 'demo' AND received_at > 1 ORDER BY received_at",
            "SEARCH conversions USING INDEX conversions_time (namespace=? AND received_at>?)",
        ),
        (
            "SELECT level_id FROM tokens WHERE namespace = 'demo' AND hash = 'x' AND level = 'campaign'",
            "SEARCH tokens USING INDEX tokens_hash (namespace=? AND hash=?)",
        ),
        (
            "SELECT id FROM links WHERE namespace = 'demo' AND campaign_id = 1 AND affiliate_id = 2 AND is_default = 1",
            "SEARCH links USING COVERING INDEX links_default (namespace=? AND campaign_id=? AND affiliate_id=?)",
        ),
    ] {
        assert_eq!(plan(&shop, sql), [expected], "{sql}");
    }
    // The control: a statement without an index scans or is searched by its namespace alone.
    let control =
        plan(&shop, "SELECT * FROM clicks WHERE namespace = 'demo' AND external_click_id = 'x'");
    assert_eq!(control, ["SEARCH clicks USING PRIMARY KEY (namespace=?)"]);
}

/// What the statements of clicks, postbacks and the cron job may do besides searching one table by
/// all that they know of a row: small tables, and what a page or a batch brings along.
const ALLOWED: &[&str] = &[
    "SCAN json_each VIRTUAL TABLE INDEX 1:",
    "SCAN new VIRTUAL TABLE INDEX 1:",
    "SCAN CONSTANT ROW",
    "SCALAR SUBQUERY",
    "LIST SUBQUERY",
    "CORRELATED SCALAR SUBQUERY",
    "COMPOUND QUERY",
    "LEFT-MOST SUBQUERY",
    "UNION ALL",
    // Only of those who are blocked.
    "SEARCH affiliates USING COVERING INDEX affiliates_blocked (namespace=?)",
    // At most 500, all of which are wanted.
    "SEARCH rates USING PRIMARY KEY (namespace=?)",
    // The hard caps, all of which the cron job compares with their count.
    "SEARCH c USING INDEX caps_hard (namespace=?)",
    "SCAN caps USING COVERING INDEX caps_hard",
    "USE TEMP B-TREE FOR DISTINCT",
    // The caps of clicks of a namespace in which one is new; and, of namespaces that have such caps,
    // the days of the last slices, and the sums of those slices by campaign and affiliate.
    "SEARCH caps USING INDEX caps_of_clicks (namespace=?)",
    "SCAN days",
    "SCAN n",
    "SCAN hard",
    "USE TEMP B-TREE FOR GROUP BY",
    // One row, and a handful that waits to be removed.
    "SCAN heartbeats",
    "SCAN stale_copies",
    // One row: the namespace and day of which visitors are forgotten.
    "SCAN first",
    "USE TEMP B-TREE FOR ORDER BY",
];

#[test]
fn every_statement_of_a_click_and_a_postback_searches_by_its_index() {
    let world = World::new();
    let shop = Shop::with(&world, json!({ "is_conflict_updated": true, "is_pixel_allowed": true }));
    let seen_by_operators = world.database().plans().len();
    shop.operator.creates("hosts", json!({ "hostname": "go.example.com" }));
    let address = "go.example.com/click?campaign_id=1&aff_id=1";
    shop.edge.answers(Method::Get, address, person(), b"");
    let id = shop.clicks(1);
    shop.follows("ref_id=1&consent=0");
    let cap = json!({ "campaign_id": 1, "what": "conversions", "period": "day", "mode": "hard", "conversions_limit": 9 });
    shop.operator.creates("caps", cap);
    let cap = json!({ "campaign_id": 1, "what": "clicks", "period": "day", "mode": "hard", "clicks_limit": 99 });
    shop.operator.creates("caps", cap);
    world.waits_ms(30_001);
    shop.reports(200, &format!("click_id={id}&dry_run=1"));
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    shop.reports(200, &format!("click_id={id}&amount=4"));
    shop.reports(200, &format!("click_id={id}&status=rejected"));
    shop.reports(200, &format!("click_id={id}&new_rejected_reason=fraud&all_events=1"));
    let items = json!({ "items": [
        { "campaign_id": 1, "order_id": "A", "status": "approved" },
        { "click_id": id, "status": "approved" },
        { "conversion_id": "cv_1", "status": "approved" },
    ] });
    shop.operator.calls(Method::Post, "conversions/statuses", Some(items), 200);
    shop.reports(200, &format!("click_id={id}&status=rejected"));
    shop.is_refused((422, "no_attribution"), "x=y");
    shop.asks("campaign_id=1");
    for (repeat, order) in [("once", "A"), ("per_order", "B"), ("every_request", "C")] {
        let event = json!({ "campaign_id": 1, "name": repeat, "repeat": repeat, "window_days": 9 });
        shop.operator.creates("events", event);
        world.waits_ms(30_001);
        shop.reports(200, &format!("click_id={id}&event_name={repeat}&order_id={order}"));
        let query = format!("campaign_id=1&parent_order_id=A&event_name={repeat}");
        shop.asks(&format!("{query}&order_id={order}2&token={TOKEN}"));
        shop.asks(&format!("{query}&token={TOKEN}"));
        shop.asks(&format!("{query}&token={TOKEN}"));
    }
    shop.changes_campaign(
        json!({ "ip_cool_down_action": "hold", "duplicate_click_action": "reject" }),
    );
    let id = shop.clicks(1);
    shop.edge.settles();
    shop.reports(200, &format!("click_id={id}&order_id=X"));
    shop.edge.examines();
    shop.edge.settles();
    shop.edge.ticks();
    let plans = world.database().plans();
    assert!(plans.len() >= seen_by_operators + 12, "{}", plans.len());
    let is_hot = |sql: &str| {
        let tables = [
            "conversions",
            "changes",
            "clicks",
            "inbox",
            "refusal",
            "links",
            "hosts",
            "campaigns WHERE",
            "events",
            "tokens",
            "stale_copies",
            "caps",
            "doubts",
        ];
        tables.iter().any(|table| sql.contains(table)) && !sql.contains("MAX(id)")
    };
    let mut searched: Vec<String> = plans
        .iter()
        .filter(|(sql, _)| is_hot(sql))
        .flat_map(|(_, steps)| steps.clone())
        .filter(|step| !ALLOWED.iter().any(|allowed| step.starts_with(allowed)))
        .collect();
    searched.sort();
    searched.dedup();
    // A search by the namespace alone goes through everything of somebody's.
    let vague =
        searched.iter().find(|step| step.ends_with("(namespace=?)") || step.starts_with("SCAN"));
    assert_eq!(vague, None);
    assert!(searched.len() >= 11, "{searched:#?}");
}

#[test]
fn the_schema_itself_forbids_counting_twice() {
    let world = World::new();
    let shop = Shop::open(&world);
    let id = shop.clicks(1);
    shop.reports(200, &format!("click_id={id}&order_id=A"));
    let connection = migrated();
    let columns: Vec<String> =
        column(&connection, "SELECT name FROM pragma_table_info('conversions')");
    let copy = |changes: &[(&str, &str)]| {
        let values: Vec<String> = columns
            .iter()
            .map(|name| {
                changes
                    .iter()
                    .find(|(n, _)| n == name)
                    .map_or_else(|| name.clone(), |(_, v)| format!("'{v}'"))
            })
            .collect();
        format!(
            "INSERT OR IGNORE INTO conversions SELECT {} FROM conversions WHERE order_id = 'A'",
            values.join(", ")
        )
    };
    world.database().execute(&copy(&[]));
    world.database().execute(&copy(&[("conversion_id", "cv_other")]));
    assert_eq!(shop.count("conversions"), 1);
    // The control: another key and another order is another conversion.
    world.database().execute(&copy(&[("conversion_id", "cv_other"), ("order_id", "B")]));
    assert_eq!(shop.count("conversions"), 2);
}

#[test]
fn links_keep_their_owner_and_stay() {
    let connection = migrated();
    connection
        .execute_batch(
            "INSERT INTO namespaces (name, created_at) VALUES ('n', 1);
             INSERT INTO advertisers VALUES ('n', 1, 'a', 1);
             INSERT INTO campaigns (namespace, id, name, advertiser_id, currency, authentication, created_at)
               VALUES ('n', 1, 'c', 1, 'USD', 'none', 1), ('n', 2, 'd', 1, 'USD', 'none', 1);
             INSERT INTO affiliates (namespace, id, name, created_at) VALUES ('n', 1, 'x', 1), ('n', 2, 'y', 1);
             INSERT INTO links (namespace, id, campaign_id, affiliate_id, created_at) VALUES ('n', 1, 1, 1, 1);",
        )
        .unwrap();
    for sql in [
        "UPDATE links SET affiliate_id = 2",
        "UPDATE links SET campaign_id = 2",
        "UPDATE links SET id = 2",
        "DELETE FROM links",
        "INSERT INTO links (namespace, id, campaign_id, affiliate_id, created_at) VALUES ('n', 4294967296, 1, 1, 1)",
        "INSERT INTO links (namespace, id, campaign_id, affiliate_id, created_at) VALUES ('n', 1, 1, 2, 1)",
    ] {
        assert!(connection.execute_batch(sql).is_err(), "{sql}");
    }
    connection.execute_batch("UPDATE links SET state = 'archived', affiliate_id = 1").unwrap();
}

#[test]
fn refused_samples_are_at_most_a_hundred_per_campaign_and_hour() {
    use backtrail::app::ports::{RefusalBatch, RefusedRequest};
    use backtrail::domain::verdict::Reason;
    let world = World::new();
    let shop = Shop::open(&world);
    let demo = Namespace::parse("demo").unwrap();
    for batch in 0..30 {
        let sample = |slot: u8| RefusedRequest {
            namespace: Some(demo.clone()),
            campaign_id: Some(1),
            received_at: world.now(),
            reason: Reason::BadToken,
            detail: String::new(),
            parameters: String::new(),
            slot: slot % 100,
        };
        let samples = (0..=255).map(sample).collect();
        let batch = RefusalBatch { name: batch.to_string(), counts: vec![], samples };
        block_on(shop.edge.stores.count_refusals(&batch)).unwrap();
    }
    assert_eq!(shop.count("refusal_samples"), 100);
    let control: Value = shop.value("SELECT COUNT(DISTINCT slot) FROM refusal_samples");
    assert_eq!(control, json!(100));
}

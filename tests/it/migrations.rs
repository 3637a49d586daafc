//! Migrations that change tables with data in them: what was there stays, with its children,
//! triggers and indexes.

use rusqlite::Connection;

/// A ledger as it was before a migration, with foreign keys as D1 has them.
fn before(number: &str) -> (Connection, Vec<String>) {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(file).unwrap())
    });
    let (earlier, later): (Vec<_>, Vec<_>) = texts.partition(|(name, _)| name.as_str() < number);
    for (name, sql) in earlier {
        connection.execute_batch(&sql).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(later[0].0.starts_with(number), "{}", later[0].0);
    (connection, later.into_iter().map(|(_, sql)| sql).collect())
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

const DATA: &str = "
    INSERT INTO namespaces (name, created_at) VALUES ('n', 1);
    INSERT INTO advertisers VALUES ('n', 1, 'a', 1);
    INSERT INTO campaigns (namespace, id, name, advertiser_id, currency, authentication, created_at)
      VALUES ('n', 1, 'c', 1, 'USD', 'none', 1), ('n', 2, 'd', 1, 'EUR', 'token', 1);
    INSERT INTO affiliates (namespace, id, name, created_at) VALUES ('n', 1, 'x', 1);
    INSERT INTO links (namespace, id, campaign_id, affiliate_id, created_at) VALUES ('n', 1, 1, 1, 1);
    INSERT INTO tokens (namespace, id, level, level_id, hash, created_at)
      VALUES ('n', 1, 'campaign', 1, 'h', 1), ('n', 2, 'namespace', 0, 'i', 1);
    INSERT INTO inbox (namespace, request_id, received_at, source, proof, parameters, verdict, judged_at)
      VALUES ('n', 'r', 1, 'postback', 'address', '{}', 'recorded', 1);
    INSERT INTO conversions (namespace, conversion_id, request_id, received_at, occurred_at, source, proof,
      ref_id, campaign_id, affiliate_id, status, currency, revenue, payout, sent_money, first_status,
      first_revenue, first_payout, explanation)
      VALUES ('n', 'cv', 'r', 1, 1, 'postback', 'token', 1, 1, 1, 'approved', 'USD', 1, 1, '{}',
      'approved', 1, 1, '{}');
    -- What migrations of other numbers may have added.
    ALTER TABLE campaigns ADD COLUMN later TEXT NOT NULL DEFAULT 'kept';
    CREATE TABLE children (namespace TEXT NOT NULL, campaign_id INTEGER NOT NULL,
      FOREIGN KEY (namespace, campaign_id) REFERENCES campaigns (namespace, id)) STRICT;
    INSERT INTO children VALUES ('n', 2);";

#[test]
fn what_proves_a_postback_learns_new_words_and_loses_nothing() {
    let (connection, later) = before("0007_");
    connection.execute_batch(DATA).unwrap();
    connection.execute_batch(&later[0]).unwrap();
    let columns = "name || ' ' || currency || ' ' || authentication || ' ' || later";
    assert_eq!(
        texts(&connection, &format!("SELECT {columns} FROM campaigns ORDER BY id")),
        ["c USD none kept", "d EUR token kept"]
    );
    let levels =
        texts(&connection, "SELECT level || ' ' || level_id || hash FROM tokens ORDER BY id");
    assert_eq!(levels, ["campaign 1h", "namespace 0i"]);
    assert_eq!(texts(&connection, "SELECT proof FROM inbox"), ["address"]);
    assert_eq!(texts(&connection, "SELECT proof FROM conversions"), ["token"]);
    assert_eq!(texts(&connection, "SELECT \"table\" FROM pragma_foreign_key_check"), [""; 0]);
    for refused in [
        "UPDATE campaigns SET authentication = 'maybe'",
        "UPDATE campaigns SET authentication = NULL",
        "UPDATE inbox SET proof = 'maybe'",
        "UPDATE conversions SET proof = 'maybe'",
        "UPDATE tokens SET level = 'maybe'",
        "DELETE FROM campaigns WHERE id = 2",
        "INSERT INTO children VALUES ('n', 3)",
        "DELETE FROM links",
        "INSERT INTO signing_secrets VALUES ('n', 1, 3, '0:a', 1, NULL)",
        "INSERT INTO signing_secrets VALUES ('n', 1, 1, 'a', 1, NULL)",
    ] {
        assert!(connection.execute_batch(refused).is_err(), "{refused}");
    }
    for allowed in [
        "UPDATE campaigns SET authentication = 'hmac'",
        "UPDATE inbox SET proof = 'signature'",
        "UPDATE conversions SET proof = 'signature'",
        "UPDATE tokens SET level = 'event' WHERE id = 1",
        "INSERT INTO signing_secrets VALUES ('n', 1, 1, '0:a', 1, NULL)",
    ] {
        connection.execute_batch(allowed).unwrap_or_else(|error| panic!("{allowed}: {error}"));
    }
}

#[test]
fn caps_learn_to_bound_clicks_and_lose_nothing() {
    let (connection, later) = before("0015_");
    connection.execute_batch(DATA).unwrap();
    let caps = "
        INSERT INTO caps (namespace, id, campaign_id, currency, affiliate_id, what, period, conversions_limit,
          amount_limit, mode, state, full_in, created_at) VALUES
          ('n', 1, 1, 'USD', 0, 'conversions', 'day', 5, NULL, 'hard', 'active', '2026-11-21', 1),
          ('n', 2, 2, 'EUR', 1, 'payout', 'total', NULL, 6, 'soft', 'archived', NULL, 2);
        INSERT INTO cap_uses VALUES ('n', 1, 0, '2026-11-21', 1, 2, 3);";
    connection.execute_batch(caps).unwrap();
    connection.execute_batch(&later[0]).unwrap();
    let columns = "concat_ws(' ', id, campaign_id, currency, affiliate_id, what, period, conversions_limit, \
        amount_limit, mode, state, full_in, created_at)";
    assert_eq!(
        texts(&connection, &format!("SELECT {columns} FROM caps ORDER BY id")),
        [
            "1 1 USD 0 conversions day 5 hard active 2026-11-21 1",
            "2 2 EUR 1 payout total 6 soft archived 2"
        ]
    );
    let uses = "SELECT concat_ws(' ', day, conversions, payout, revenue, clicks) FROM cap_uses";
    assert_eq!(texts(&connection, uses), ["2026-11-21 1 2 3 0"]);
    let indexes =
        "SELECT name FROM sqlite_schema WHERE tbl_name = 'caps' AND type = 'index' ORDER BY name";
    assert_eq!(texts(&connection, indexes), ["caps_hard", "caps_of_campaign", "caps_of_clicks"]);
    assert_eq!(texts(&connection, "SELECT \"table\" FROM pragma_foreign_key_check"), [""; 0]);
    let cap = |id: u32, campaign: u32| {
        connection.execute_batch(&format!(
            "INSERT INTO caps (namespace, id, campaign_id, currency, what, period, clicks_limit, mode, created_at) \
             VALUES ('n', {id}, {campaign}, 'USD', 'clicks', 'day', 5, 'hard', 1)"
        ))
    };
    assert!(cap(3, 3).is_err(), "no such campaign");
    cap(3, 2).unwrap();
    assert!(connection.execute_batch("DELETE FROM campaigns WHERE id = 2").is_err());
}

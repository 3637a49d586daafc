//! What templates can say of a click, from its row, else from its copy in KV.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json as to_json};

use super::{Blobs, Database, Row, Statement, Stores, json, keys};
use crate::app::leases::{ClickDetail, ClickDetails};
use crate::app::ports::Unavailable;
use crate::domain::click_id;
use crate::domain::namespace::Namespace;

/// The columns and the keys of the macros that they are for, in the order of the statement; the
/// number is the place of the same in a page's copy (`click_rows`).
const COLUMNS: &[(&str, &str, usize)] = &[
    ("source", "source", 16),
    ("country", "country", 10),
    ("device", "device", 11),
    ("os", "os", 12),
    ("browser", "browser", 13),
    ("referrer", "referer", 14),
    ("user_agent", "user_agent", 15),
    ("external_click_id", "EXTERNAL_CLICK_ID", 17),
];

/// Where the parameters stand in a page's copy, and the click_id.
const PARAMETERS_AT: usize = 18;
const CLICK_ID_AT: usize = 4;

/// The key of `clicks` begins with the time, which the id tells.
const SELECT: &str = "SELECT c.namespace, c.click_id, c.source, c.country, c.device, c.os, c.browser, c.referrer, c.user_agent, \
     c.external_click_id, c.parameters FROM json_each(?1) AS k CROSS JOIN clicks AS c \
     ON c.namespace = k.value ->> 0 AND c.time = k.value ->> 1 AND c.page = k.value ->> 2 AND c.ordinal = k.value ->> 3 \
     AND c.click_id = k.value ->> 4";

/// So many pages of copies are looked at: a call of KV each. Of the clicks of others it is not known
/// whether they are there.
const MAX_PAGES: usize = 10;

/// `sub1` to `sub10` of a click's parameters, as macros have them.
fn subs(parameters: &str) -> impl Iterator<Item = (String, String)> {
    let is_sub = |name: &str| name.strip_prefix("sub").is_some_and(|n| n.parse::<u8>().is_ok());
    json::pairs(parameters)
        .into_iter()
        .filter(move |(name, _)| is_sub(name))
        .map(|(name, value)| (name.to_ascii_uppercase(), value))
}

fn detail(
    namespace: &Namespace,
    click_id: &str,
    at: impl Fn(&str, usize) -> Option<String>,
) -> ClickDetail {
    let columns = COLUMNS.iter().filter_map(|(column, key, place)| {
        Some(((*key).to_owned(), at(column, *place).filter(|value| !value.is_empty())?))
    });
    let mut values: Vec<(String, String)> = columns.collect();
    if let Some(parameters) = at("parameters", PARAMETERS_AT) {
        values.extend(subs(&parameters));
    }
    ClickDetail { namespace: namespace.clone(), click_id: click_id.to_owned(), values }
}

fn of_row(row: &Row) -> Option<ClickDetail> {
    let text = |column: &str, _| row.get(column)?.as_str().map(str::to_owned);
    let namespace = Namespace::parse(row.get("namespace")?.as_str()?)?;
    Some(detail(&namespace, row.get("click_id")?.as_str()?, text))
}

fn of_copy(entry: &Json, namespace: &Namespace, click_id: &str) -> Option<ClickDetail> {
    let text = |_: &str, place: usize| entry.get(place)?.as_str().map(str::to_owned);
    let is_it = entry.get(0)?.as_str()? == namespace.as_str()
        && entry.get(CLICK_ID_AT)?.as_str()? == click_id;
    is_it.then(|| detail(namespace, click_id, text))
}

/// The details of those that are found, and those whose copies could not be asked for.
pub(super) async fn read<D: Database, B: Blobs>(
    stores: &Stores<D, B>,
    clicks: &[(Namespace, String)],
    goes_on: &dyn Fn() -> bool,
) -> Result<ClickDetails, Unavailable> {
    // What an id says is not verified here: whose it is not, that has no row in the namespace.
    let named: Vec<_> = clicks
        .iter()
        .filter_map(|(namespace, id)| Some((namespace, id, click_id::claimed(id)?)))
        .collect();
    if named.is_empty() {
        return Ok(ClickDetails::default());
    }
    let keys = named.iter().map(|(namespace, text, id)| {
        to_json!([namespace.as_str(), id.time.ms(), id.page, id.ordinal, text])
    });
    let keys = Json::Array(keys.collect()).to_string();
    let rows = stores.run(vec![Statement::new(SELECT, vec![keys.into()])]).await?;
    let mut found: Vec<ClickDetail> = rows.iter().flatten().filter_map(of_row).collect();
    if !stores.settings.has_click_copies {
        return Ok(ClickDetails { found, unread: vec![] });
    }
    let is_missing = |(namespace, id, _): &&(&Namespace, &String, _)| {
        let is_it =
            |detail: &ClickDetail| detail.click_id == **id && detail.namespace == **namespace;
        !found.iter().any(is_it)
    };
    let missing: Vec<_> = named.iter().filter(is_missing).collect();
    let pages: BTreeSet<u64> = missing.iter().map(|(.., id)| id.page).collect();
    let mut unread = Vec::new();
    for (place, page) in pages.into_iter().enumerate() {
        let of_page = missing.iter().filter(|(.., id)| id.page == page);
        let copy = match place < MAX_PAGES && goes_on() {
            true => stores.blobs.get(&keys::clicks(page)).await.ok(),
            false => None,
        };
        let entries: Vec<Json> = match copy {
            Some(Some(text)) => serde_json::from_str(&text).unwrap_or_default(),
            Some(None) => continue,
            None => {
                unread.extend(of_page.map(|(space, text, _)| ((*space).clone(), (*text).clone())));
                continue;
            }
        };
        for (namespace, text, _) in of_page {
            found.extend(entries.iter().find_map(|entry| of_copy(entry, namespace, text)));
        }
    }
    Ok(ClickDetails { found, unread })
}

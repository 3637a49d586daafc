//! Connectors as judging reads them: one row for those of an affiliate, and one for those that
//! belong to nobody. What they send is read by whoever sends it.

use std::collections::BTreeSet;

use super::row::{Read as _, rows};
use super::{Blobs, Database, Row, Statement, Stores, json};
use crate::app::outbox::{Audience, Audiences, Naming};
use crate::app::ports::Unavailable;
use crate::domain::configuration::Status;
use crate::domain::connector::{Connector, Connectors, Matching, Mode};
use crate::domain::event::{self, Becomes};
use crate::domain::namespace::Namespace;
use crate::domain::time::SECOND_MS;

/// A connector as a JSON array.
macro_rules! connector {
    () => {
        "json_array(c.id, c.mode, c.campaign_id, c.events, c.statuses, c.delay_seconds, c.is_webhook_on, \
         c.is_pixel_on, c.matching)"
    };
}

const CONNECTORS: &str = concat!(
    "SELECT (SELECT json_group_array(",
    connector!(),
    ") FROM connectors AS c INDEXED BY connectors_of \
     WHERE c.namespace = ?1 AND c.affiliate_id = ?2 AND c.mode <> 'disabled') AS connectors, \
     EXISTS (SELECT 1 FROM connectors INDEXED BY connectors_of \
     WHERE namespace = ?1 AND affiliate_id > 0 AND mode <> 'disabled') AS has_of_affiliates"
);

/// The connectors of many affiliates that wait for statuses.
const WAITING: &str = concat!(
    "SELECT c.affiliate_id, ",
    connector!(),
    " AS connector FROM json_each(?2) AS a CROSS JOIN connectors AS c INDEXED BY connectors_of \
     WHERE c.namespace = ?1 AND c.affiliate_id = a.value AND c.mode <> 'disabled' AND c.statuses <> '[]' \
     ORDER BY c.id"
);

const NAMINGS: &str = "SELECT c.id, c.advertiser_id, c.site_events FROM json_each(?2) AS k \
     CROSS JOIN campaigns AS c WHERE c.namespace = ?1 AND c.id = k.value";

/// Reads the connectors of an affiliate that may fire; of 0 those that belong to nobody.
pub(super) fn select(namespace: &Namespace, affiliate: u32) -> Statement {
    Statement::new(CONNECTORS, vec![namespace.as_str().into(), affiliate.into()])
}

rows! {
    /// The row of [`select`].
    pub(super) struct ConnectorsRow {
        connectors: String,
        has_of_affiliates: u8,
    }
}

impl ConnectorsRow {
    /// The connectors of an affiliate. `None` if one cannot be read: what it has to send would be
    /// lost without anybody noticing.
    pub(super) fn value(self, affiliate: u32) -> Option<Connectors> {
        let rows: Vec<Row> = serde_json::from_str(&self.connectors).ok()?;
        let mut list: Vec<Connector> =
            rows.iter().map(|row| connector(row, affiliate)).collect::<Option<_>>()?;
        list.sort_unstable_by_key(|connector| connector.id);
        Some(Connectors { list, has_of_affiliates: self.has_of_affiliates != 0 })
    }
}

fn connector(row: &Row, affiliate: u32) -> Option<Connector> {
    let number = |place: usize| row.get(place)?.as_u64();
    let short = |place: usize| u32::try_from(number(place)?).ok();
    let text = |place: usize| row.get(place)?.as_str();
    let statuses: Vec<String> = serde_json::from_str(text(4)?).ok()?;
    let statuses = statuses.iter().map(|word| Status::from_word(word));
    Some(Connector {
        id: short(0)?,
        mode: Mode::from_word(text(1)?)?,
        campaign_id: Some(short(2)?).filter(|id| *id != 0),
        affiliate_id: Some(affiliate).filter(|id| *id != 0),
        events: serde_json::from_str(text(3)?).ok()?,
        statuses: statuses.collect::<Option<_>>()?,
        delay_ms: number(5)?.checked_mul(SECOND_MS)?,
        has_webhook: number(6)? != 0,
        has_pixel: number(7)? != 0,
        matching: match text(8) {
            None => None,
            Some(text) => Some(matching(text)?),
        },
    })
}

/// How a connector recognises its visitors, from the JSON of its column.
pub(super) fn matching(column: &str) -> Option<Matching> {
    Matching::read(&serde_json::from_str(column).ok()?).ok()
}

rows! {
    struct WaitingRow {
        affiliate_id: u32,
        connector: String,
    }
}

rows! {
    struct NamingRow {
        id: u32,
        advertiser_id: u32,
        site_events: String,
    }
}

impl NamingRow {
    fn value(self) -> Naming {
        let pairs = json::pairs(&self.site_events).into_iter();
        let site_events = pairs.filter_map(|(name, what)| Some((name, Becomes::parse(&what)?)));
        let initial_name = event::initial_name(&site_events.collect::<Vec<_>>()).map(str::to_owned);
        Naming { campaign_id: self.id, advertiser_id: self.advertiser_id, initial_name }
    }
}

impl<D: Database, B: Blobs> Audiences for Stores<D, B> {
    async fn audience(
        &self,
        namespace: &Namespace,
        affiliates: &BTreeSet<u32>,
        campaigns: &BTreeSet<u32>,
    ) -> Result<Audience, Unavailable> {
        let of = |sql: &'static str, ids: &BTreeSet<u32>| {
            let ids: Row = ids.iter().copied().collect();
            Statement::new(sql, vec![namespace.as_str().into(), ids.to_string().into()])
        };
        let results = self.run(vec![of(WAITING, affiliates), of(NAMINGS, campaigns)]).await?;
        let [connectors, namings] = results.as_slice() else { return Err(Unavailable) };
        let waiting = |row: &Row| {
            let row = WaitingRow::read(row)?;
            connector(&serde_json::from_str(&row.connector).ok()?, row.affiliate_id)
        };
        let connectors: Option<Vec<Connector>> = connectors.iter().map(waiting).collect();
        let namings = namings.iter().map(|row| Some(NamingRow::read(row)?.value()));
        match (connectors, namings.collect::<Option<_>>()) {
            (Some(connectors), Some(namings)) => Ok(Audience { connectors, namings }),
            _ => Err(Unavailable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(connectors: &str, affiliate: u32) -> Option<Connectors> {
        ConnectorsRow { connectors: connectors.to_owned(), has_of_affiliates: 1 }.value(affiliate)
    }

    #[test]
    fn a_row_becomes_connectors_and_one_that_cannot_be_read_none() {
        let matching = r#"{\"parameter\":\"cid\",\"source_parameter\":\"utm_source\",\"source_value\":null,\"model\":\"last\",\"window_days\":14}"#;
        let row = format!(
            r#"[[3,"test",0,"[\"Lead\"]","[\"approved\"]",60,1,0,"{matching}"],[2,"enabled",5,"[]","[]",0,0,1,null]]"#
        );
        let connectors = read(&row, 7).unwrap();
        assert!(connectors.has_of_affiliates);
        let [second, third] = connectors.list.as_slice() else { panic!("{connectors:?}") };
        assert_eq!((second.id, second.campaign_id, second.affiliate_id), (2, Some(5), Some(7)));
        assert_eq!((third.mode, third.campaign_id, third.delay_ms), (Mode::Test, None, 60_000));
        assert_eq!((third.has_webhook, third.has_pixel), (true, false));
        assert_eq!(third.statuses, [Status::Approved]);
        assert_eq!(third.events, ["Lead"]);
        let matching = third.matching.as_ref().unwrap();
        assert_eq!(
            (matching.model, matching.window_days),
            (crate::domain::connector::Model::Last, 14)
        );
        assert_eq!(matching.source_parameter.as_deref(), Some("utm_source"));
        assert_eq!(read(&row, 0).unwrap().list[0].affiliate_id, None);
        for other in [row.replace("test", "trial"), row.replace("approved", "paid"), "[{}]".into()]
        {
            assert_eq!(read(&other, 7), None, "{other}");
        }
    }
}

//! Connectors as judging reads them: one row for those of an affiliate, and one for those that
//! belong to nobody. What they send is read by whoever sends it.

use super::row::rows;
use super::{Row, Statement};
use crate::domain::configuration::Status;
use crate::domain::connector::{Connector, Connectors, Matching, Mode, Model};
use crate::domain::namespace::Namespace;
use crate::domain::time::SECOND_MS;

const CONNECTORS: &str = "SELECT (SELECT json_group_array(json_array(id, mode, campaign_id, events, statuses, \
     delay_seconds, is_webhook_on, is_pixel_on, matching)) FROM connectors INDEXED BY connectors_of \
     WHERE namespace = ?1 AND affiliate_id = ?2 AND mode <> 'disabled') AS connectors, \
     EXISTS (SELECT 1 FROM connectors INDEXED BY connectors_of \
     WHERE namespace = ?1 AND affiliate_id > 0 AND mode <> 'disabled') AS has_of_affiliates";

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
            Some(text) => Some(matching(&serde_json::from_str(text).ok()?)?),
        },
    })
}

/// Matching as its column holds it; `None` for what this version cannot read.
pub(super) fn matching(column: &Row) -> Option<Matching> {
    let text = |name: &str| column.get(name)?.as_str().map(str::to_owned);
    Some(Matching {
        parameter: text("parameter")?,
        source_parameter: text("source_parameter"),
        source_value: text("source_value"),
        model: Model::from_word(&text("model")?)?,
        window_days: column.get("window_days")?.as_u64()?.try_into().ok()?,
    })
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
        assert_eq!((matching.model, matching.window_days), (Model::Last, 14));
        assert_eq!(matching.source_parameter.as_deref(), Some("utm_source"));
        assert_eq!(read(&row, 0).unwrap().list[0].affiliate_id, None);
        for other in [row.replace("test", "trial"), row.replace("approved", "paid"), "[{}]".into()]
        {
            assert_eq!(read(&other, 7), None, "{other}");
        }
    }
}

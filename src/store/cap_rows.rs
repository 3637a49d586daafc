//! Caps as the rows of campaigns hold them, and the count of what is used of them.
//!
//! Triggers keep the count (`migrations/0010_cap_conversions.sql`); here it is guarded and read.

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Row, Statement, Stores, Value};
use crate::app::full_caps::{CapWatch, Capped};
use crate::app::ports::{Calendar, Unavailable};
use crate::domain::cap::{Bounded, Cap, LocalDate, Mode, Period, Place, Use};
use crate::domain::click_count::Watch;
use crate::domain::judgement::AssumedCaps;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// The column `caps` of a campaign's row: ?1 is the namespace, ?2 the campaign.
macro_rules! caps_of_campaign {
    () => {
        "(SELECT json_group_array(json_array(k.id, k.affiliate_id, k.what, k.period, \
            COALESCE(k.conversions_limit, k.amount_limit, k.clicks_limit), k.mode, k.full_in)) \
          FROM caps k INDEXED BY caps_of_campaign \
          WHERE k.namespace = ?1 AND k.campaign_id = ?2 AND k.state = 'active') AS caps, "
    };
}
pub(super) use caps_of_campaign;

/// The caps of a campaign's row. None is left out if it cannot be read, or it would bound nothing;
/// a copy that an earlier version wrote has none.
pub(crate) fn caps(text: Option<&str>) -> Option<Vec<Cap>> {
    let rows: Vec<Row> = serde_json::from_str(text.unwrap_or("[]")).ok()?;
    rows.iter().map(cap).collect()
}

fn cap(row: &Row) -> Option<Cap> {
    let number = |place: usize| u32::try_from(row.get(place)?.as_u64()?).ok();
    let text = |place: usize| row.get(place)?.as_str();
    Some(Cap {
        id: number(0)?,
        affiliate_id: Some(number(1)?).filter(|id| *id != 0),
        what: Bounded::from_word(text(2)?)?,
        period: Period::from_word(text(3)?)?,
        limit: row.get(4)?.as_i64()?,
        mode: Mode::from_word(text(5)?)?,
        full_in: text(6).map(str::to_owned),
    })
}

/// The column `caps` of a conversion.
pub(super) fn marks(caps: &AssumedCaps) -> String {
    pairs(&caps.places).to_string()
}

fn pairs(places: &[Place]) -> Json {
    places.iter().map(|place| json!([place.affiliate_id, place.days])).collect()
}

/// What is used in all rows `u`, by the word `what`.
macro_rules! sum_used {
    ($what:literal) => {
        concat!(
            "CASE ",
            $what,
            " WHEN 'conversions' THEN SUM(u.conversions) WHEN 'payout' THEN SUM(u.payout) \
             WHEN 'revenue' THEN SUM(u.revenue) ELSE SUM(u.clicks) END"
        )
    };
}

pub(super) use sum_used;

/// That the day of the row `u` begins with a text.
macro_rules! within {
    ($days:literal) => {
        concat!("u.day BETWEEN ", $days, " AND ", $days, " || '~'")
    };
}

pub(super) use within;

/// The guard that all caps have a place; ?1 is the namespace, ?11 the campaign.
pub(super) fn guard(caps: &AssumedCaps, bind: &mut impl FnMut(Value) -> String) -> Option<String> {
    if caps.free.is_empty() {
        return None;
    }
    let free = caps.free.iter().map(|free| {
        json!([free.place.affiliate_id, free.place.days, free.what.as_str(), free.limit])
    });
    let list = bind(Json::Array(free.collect()).to_string().into());
    Some(format!(
        "NOT EXISTS (SELECT 1 FROM json_each({list}) WHERE (SELECT {} FROM cap_uses AS u \
         WHERE u.namespace = ?1 AND u.campaign_id = ?11 AND u.affiliate_id = json_each.value ->> 0 \
         AND {}) >= json_each.value ->> 3)",
        sum_used!("json_each.value ->> 2"),
        within!("(json_each.value ->> 1)")
    ))
}

/// Reads what is used in some places of a campaign; `None` if there is nothing to ask.
pub(super) fn select(
    namespace: &Namespace,
    (campaign_id, places): &(u32, Vec<Place>),
) -> Option<Statement> {
    let sql = concat!(
        "SELECT json_each.value ->> 0 AS affiliate_id, json_each.value ->> 1 AS days, \
         SUM(u.conversions) AS conversions, SUM(u.payout) AS payout, SUM(u.revenue) AS revenue \
         FROM json_each(?3) CROSS JOIN cap_uses AS u WHERE u.namespace = ?1 AND u.campaign_id = ?2 \
         AND u.affiliate_id = json_each.value ->> 0 AND ",
        within!("(json_each.value ->> 1)"),
        " GROUP BY json_each.key"
    );
    let list = pairs(places).to_string();
    let parameters = vec![namespace.as_str().into(), (*campaign_id).into(), list.into()];
    (!places.is_empty()).then(|| Statement::new(sql, parameters))
}

/// The uses in the rows of [`select`]; a place without a row was not used. `None` if it was not
/// asked.
pub(super) fn uses(rows: Option<&Vec<Row>>) -> Result<Option<Vec<Use>>, Unavailable> {
    let Some(rows) = rows else { return Ok(None) };
    rows.iter().map(used).collect::<Option<Vec<Use>>>().map(Some).ok_or(Unavailable)
}

fn used(row: &Row) -> Option<Use> {
    let number = |name: &str| row.get(name)?.as_i64();
    Some(Use {
        place: Place {
            affiliate_id: u32::try_from(number("affiliate_id")?).ok()?,
            days: row.get("days")?.as_str()?.to_owned(),
        },
        conversions: number("conversions")?,
        payout: number("payout")?,
        revenue: number("revenue")?,
    })
}

const CAPPED: &str = "SELECT n.name, n.time_zone, w.namespace AS watched, w.counted_until, w.has_new \
     FROM (SELECT DISTINCT namespace FROM caps INDEXED BY caps_hard WHERE state = 'active' AND mode = 'hard') AS hard \
     CROSS JOIN namespaces AS n ON n.name = hard.namespace \
     LEFT JOIN click_watches AS w ON w.namespace = hard.namespace";

fn capped(row: &Row) -> Option<Capped> {
    let text = |name: &str| row.get(name)?.as_str();
    let watch = || Watch {
        counted_until: row.get("counted_until").and_then(Json::as_u64).map(Timestamp::from_ms),
        has_new: row.get("has_new").and_then(Json::as_u64) == Some(1),
    };
    Some(Capped {
        namespace: Namespace::parse(text("name")?)?,
        time_zone: text("time_zone")?.to_owned(),
        watch: text("watched").map(|_| watch()),
    })
}

/// Hard caps of which is noted that they are full and are not, or the other way round. ?1 holds
/// pairs of a namespace and its date.
const MISJUDGED: &str = concat!(
    "SELECT * FROM (SELECT c.namespace, c.id, c.campaign_id, c.full_in AS noted, \
     CASE c.period WHEN 'day' THEN json_each.value ->> 1 WHEN 'month' THEN substr(json_each.value ->> 1, 1, 7) \
       ELSE 'total' END AS now, \
     (SELECT ",
    sum_used!("c.what"),
    " FROM cap_uses AS u WHERE u.namespace = c.namespace AND u.campaign_id = c.campaign_id \
       AND u.affiliate_id = c.affiliate_id AND ",
    within!(
        "CASE c.period WHEN 'day' THEN json_each.value ->> 1 \
         WHEN 'month' THEN substr(json_each.value ->> 1, 1, 7) ELSE '' END"
    ),
    ") >= COALESCE(c.conversions_limit, c.amount_limit, c.clicks_limit) AS is_full \
     FROM json_each(?1) CROSS JOIN caps AS c INDEXED BY caps_hard \
     WHERE c.namespace = json_each.value ->> 0 AND c.state = 'active' AND c.mode = 'hard') \
     WHERE (is_full IS 1) <> (noted IS now) LIMIT ?2"
);

const NOTE: &str = "UPDATE caps SET full_in = json_each.value ->> 2 FROM json_each(?1) \
     WHERE caps.namespace = json_each.value ->> 0 AND caps.id = json_each.value ->> 1";

impl<D: Database, B: Blobs> CapWatch for Stores<D, B> {
    async fn capped(&self) -> Result<Vec<Capped>, Unavailable> {
        let rows = self.run(vec![Statement::new(CAPPED, Vec::new())]).await?;
        Ok(rows.iter().flatten().filter_map(capped).collect())
    }

    async fn note_full(
        &self,
        dates: &[(Namespace, LocalDate)],
        most: u32,
    ) -> Result<Vec<(Namespace, u32)>, Unavailable> {
        let dates: Json =
            dates.iter().map(|(name, date)| json!([name.as_str(), date.as_str()])).collect();
        let select = Statement::new(MISJUDGED, vec![dates.to_string().into(), most.into()]);
        let (mut notes, mut campaigns) = (Vec::new(), Vec::new());
        for row in self.run(vec![select]).await?.iter().flatten() {
            let field = |name: &str| row.get(name).cloned().unwrap_or(Json::Null);
            let full_in = if field("is_full") == 1 { field("now") } else { Json::Null };
            notes.push(json!([field("namespace"), field("id"), full_in]));
            let namespace = field("namespace").as_str().and_then(Namespace::parse);
            let campaign_id = field("campaign_id").as_u64().and_then(|id| u32::try_from(id).ok());
            campaigns.extend(namespace.zip(campaign_id));
        }
        if !notes.is_empty() {
            let notes = Json::Array(notes).to_string();
            self.run(vec![Statement::new(NOTE, vec![notes.into()])]).await?;
        }
        Ok(campaigns)
    }
}

impl<D: Database, B: Blobs> Calendar for Stores<D, B> {
    fn local_date(&self, zone: &str, at: Timestamp) -> LocalDate {
        self.settings.date_in(zone, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_copied_has_no_caps_and_what_cannot_be_read_is_none() {
        assert_eq!(caps(None), Some(vec![]));
        let cap = r#"[[3,7,"payout","month",500,"hard",null]]"#;
        assert_eq!(caps(Some(cap)).unwrap()[0].affiliate_id, Some(7));
        for text in [cap.replace("hard", "firm"), cap.replace("500", "null"), "[{}]".into()] {
            assert_eq!(caps(Some(&text)), None, "{text}");
        }
    }
}

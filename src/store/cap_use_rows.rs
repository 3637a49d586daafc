//! How much is used of caps, for operators.

use serde_json::{Value as Json, json};

use super::cap_rows::{sum_used, within};
use super::{Blobs, Database, Row, Statement, Stores};
use crate::app::full_caps::CapUses;
use crate::app::ports::Unavailable;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// ?2 holds ids of caps, ?3 is the date.
const USED: &str = concat!(
    "SELECT c.id, (SELECT ",
    sum_used!("c.what"),
    " FROM cap_uses AS u WHERE u.namespace = c.namespace AND u.campaign_id = c.campaign_id \
       AND u.affiliate_id = c.affiliate_id AND ",
    within!("CASE c.period WHEN 'day' THEN ?3 WHEN 'month' THEN substr(?3, 1, 7) ELSE '' END"),
    ") AS used FROM json_each(?2) CROSS JOIN caps AS c ON c.namespace = ?1 AND c.id = json_each.value"
);

impl<D: Database, B: Blobs> CapUses for Stores<D, B> {
    async fn used_of(
        &self,
        namespace: &Namespace,
        ids: &[u64],
        now: Timestamp,
    ) -> Result<Vec<(u64, i64)>, Unavailable> {
        let space = || namespace.as_str().into();
        let zone = "SELECT time_zone FROM namespaces WHERE name = ?1";
        let row = self.row(Statement::new(zone, vec![space()])).await?;
        let zone = row.as_ref().and_then(|row| row.get("time_zone")?.as_str());
        let today = self.settings.date_in(zone.unwrap_or_default(), now);
        let list = json!(ids).to_string();
        let select = Statement::new(USED, vec![space(), list.into(), today.as_str().into()]);
        let used = |row: &Row| {
            let used = row.get("used").and_then(Json::as_i64).unwrap_or(0);
            Some((row.get("id")?.as_u64()?, used))
        };
        Ok(self.run(vec![select]).await?.iter().flatten().filter_map(used).collect())
    }
}

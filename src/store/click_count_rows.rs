//! Clicks counted by slices and days, for caps of clicks (`migrations/0015_cap_clicks.sql`).

use serde_json::{Value as Json, json};

use super::{Blobs, Database, Statement, Stores};
use crate::app::count_clicks::{ClickCounts, Recount};
use crate::app::ports::Unavailable;
use crate::domain::click_count::SLICE_MS;
use crate::domain::time::Timestamp;

/// ?1 holds a namespace and since when clicks count for its new caps, each.
const BEGIN: &str = "UPDATE caps INDEXED BY caps_of_clicks SET counted_since = json_each.value ->> 1 FROM json_each(?1) \
     WHERE caps.namespace = json_each.value ->> 0 AND what = 'clicks' AND state = 'active' AND counted_since IS NULL";

/// ?1 holds a namespace, the start and end of a slice and its date, each. A click counts for its
/// affiliate and for all, as far as there are such caps. A slice stays in the day in which it was
/// first counted, also if the namespace changes its time zone.
const COUNT_SLICES: &str = "INSERT INTO cap_clicks (namespace, slice, campaign_id, affiliate_id, day, clicks) \
     SELECT n.namespace, n.slice, n.campaign_id, json_each.value, n.day, SUM(n.clicks) \
     FROM (SELECT c.namespace, json_each.value ->> 1 AS slice, json_each.value ->> 3 AS day, c.campaign_id, c.affiliate_id, \
         COUNT(*) AS clicks FROM json_each(?1) CROSS JOIN clicks AS c WHERE c.namespace = json_each.value ->> 0 \
         AND c.time >= json_each.value ->> 1 AND c.time < json_each.value ->> 2 AND c.uncounted IS NULL \
         GROUP BY json_each.key, c.campaign_id, c.affiliate_id) AS n \
     CROSS JOIN json_each(json_array(0, n.affiliate_id)) \
     WHERE EXISTS (SELECT 1 FROM caps INDEXED BY caps_of_clicks WHERE caps.namespace = n.namespace \
       AND caps.campaign_id = n.campaign_id AND caps.affiliate_id = json_each.value \
       AND caps.what = 'clicks' AND caps.state = 'active' AND caps.counted_since <= n.slice) \
     GROUP BY n.namespace, n.slice, n.campaign_id, json_each.value \
     ON CONFLICT (namespace, slice, campaign_id, affiliate_id) DO UPDATE SET clicks = excluded.clicks \
       WHERE clicks <> excluded.clicks";

/// Sums of the days of the slices that were counted. ?1 holds a namespace, the first of its slices,
/// and since when slices are of the same days, each.
const COUNT_DAYS: &str = "INSERT INTO cap_uses (namespace, campaign_id, affiliate_id, day, conversions, payout, revenue, clicks) \
     SELECT k.namespace, k.campaign_id, k.affiliate_id, k.day, 0, 0, 0, SUM(k.clicks) \
     FROM (SELECT DISTINCT c.namespace, c.day, json_each.value ->> 2 AS since FROM json_each(?1) CROSS JOIN cap_clicks AS c \
         WHERE c.namespace = json_each.value ->> 0 AND c.slice >= json_each.value ->> 1) AS days \
     CROSS JOIN cap_clicks AS k WHERE k.namespace = days.namespace AND k.slice >= days.since AND k.day = days.day \
     GROUP BY k.namespace, k.campaign_id, k.affiliate_id, k.day \
     ON CONFLICT (namespace, campaign_id, affiliate_id, day) DO UPDATE SET clicks = excluded.clicks \
       WHERE clicks <> excluded.clicks";

const FORGET: &str = "DELETE FROM cap_clicks \
     WHERE namespace IN (SELECT value ->> 0 FROM json_each(?1)) AND slice < ?2";

/// ?1 holds a namespace, how far it is counted, and what was seen before, each.
const NOTE: &str = "UPDATE click_watches SET counted_until = json_each.value ->> 1, has_new = 0 FROM json_each(?1) \
     WHERE click_watches.namespace = json_each.value ->> 0 AND counted_until IS json_each.value ->> 2 \
     AND has_new = json_each.value ->> 3 AND (counted_until IS NOT json_each.value ->> 1 OR has_new = 1)";

/// Asks for another count of everybody's clicks from a time on, because some of them are late: a row
/// for each namespace that has caps of clicks, and none otherwise.
pub(super) fn count_again(since: u64) -> Statement {
    let sql = "UPDATE click_watches SET counted_until = ?1 WHERE counted_until > ?1";
    Statement::new(sql, vec![since.into()])
}

impl<D: Database, B: Blobs> ClickCounts for Stores<D, B> {
    async fn recount(
        &self,
        recounts: &[Recount],
        kept_since: Timestamp,
    ) -> Result<(), Unavailable> {
        let (mut slices, mut days, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for recount in recounts {
            let name = recount.namespace.as_str();
            slices.extend(recount.slices.iter().map(|(slice, date)| {
                json!([name, slice.ms(), slice.ms() + SLICE_MS, date.as_str()])
            }));
            let first = recount.slices.first().map(|(slice, _)| slice.ms());
            days.push(json!([name, first, recount.days_begin_after.ms()]));
            let seen = recount.seen.counted_until.map(Timestamp::ms);
            let has_new = u8::from(recount.seen.has_new);
            notes.push(json!([name, recount.counted_until.ms(), seen, has_new]));
        }
        let [slices, days, notes] = [slices, days, notes].map(|list| Json::Array(list).to_string());
        let new = |recount: &Recount| {
            Some(json!([recount.namespace.as_str(), recount.new_since.map(Timestamp::ms)?]))
        };
        let new: Vec<Json> = recounts.iter().filter_map(new).collect();
        let mut statements = match new.is_empty() {
            true => vec![],
            false => vec![Statement::new(BEGIN, vec![Json::Array(new).to_string().into()])],
        };
        statements.extend([
            Statement::new(COUNT_SLICES, vec![slices.into()]),
            Statement::new(COUNT_DAYS, vec![days.into()]),
            Statement::new(FORGET, vec![notes.as_str().into(), kept_since.ms().into()]),
            Statement::new(NOTE, vec![notes.into()]),
        ]);
        self.run(statements).await.map(|_| ())
    }
}

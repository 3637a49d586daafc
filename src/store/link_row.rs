//! The row of a link, with what is needed of its affiliate.

use super::row::rows;
use crate::domain::click_rules::customer_mark;
use crate::domain::configuration::Link;

/// Reads the link `?2`.
pub(crate) const LINK: &str = "SELECT links.id, campaign_id, affiliate_id, links.state, kind, a.custom_id, a.own_customer_id \
     FROM links CROSS JOIN affiliates AS a ON a.namespace = ?1 AND a.id = affiliate_id \
     WHERE links.namespace = ?1 AND links.id = ?2";

rows! {
    /// A link as stored.
    pub(crate) struct LinkRow {
        id: u32,
        campaign_id: u32,
        affiliate_id: u32,
        state: String,
        // Copies that an earlier version wrote have none of these.
        kind: Option<String>,
        custom_id: Option<String>,
        own_customer_id: Option<String>,
    }
}

impl LinkRow {
    /// The link of a row.
    pub(crate) fn value(self) -> Link {
        let numbers = [&self.custom_id, &self.own_customer_id];
        Link {
            id: self.id,
            campaign_id: self.campaign_id,
            affiliate_id: self.affiliate_id,
            is_active: self.state == "active",
            is_test: self.kind.as_deref() == Some("test"),
            own_customers: own_customers(numbers.map(|number| number.as_deref())),
        }
    }
}

/// The marks of a link's row: of its affiliate's own and custom numbers.
fn own_customers(numbers: [Option<&str>; 2]) -> [u64; 2] {
    numbers.map(|number| number.map_or(0, customer_mark))
}

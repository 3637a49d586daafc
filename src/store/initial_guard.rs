//! What the insert of an event assumes of the conversion that it follows.

use std::borrow::Cow;

use super::{Value, customer_rows};
use crate::domain::conversion::Conversion;
use crate::domain::judgement::{AssumedInitial, InitialBy};

/// That a conversion can be followed by events. Said by the two other statuses: of a list of three
/// SQLite makes a table, for every row that it looks at.
macro_rules! stands {
    () => {
        "status NOT IN ('rejected', 'refunded')"
    };
}

/// That the click of the event itself has an initial conversion which credits the same link; a link
/// is of one campaign and one affiliate for ever.
const CLICK_STANDS: &str = concat!(
    "EXISTS (SELECT 1 FROM conversions INDEXED BY conversions_click \
     WHERE namespace = ?1 AND click_id = ?8 AND event_id = 0 AND ref_id = ?10 AND ",
    stands!(),
    ")"
);

/// That the initial conversion is there, counts, and credits whom the event credits.
pub(crate) fn initial_stands(
    conversion: &Conversion,
    initial: &AssumedInitial,
    by: &InitialBy,
    bind: &mut impl FnMut(Value) -> String,
) -> Cow<'static, str> {
    // As a rule: texts are what such a commit takes longest with.
    if let InitialBy::Click(click_id) = by
        && conversion.click_id.as_ref() == Some(click_id)
        && initial.since.is_none()
    {
        return CLICK_STANDS.into();
    }
    let of_order = |order: String| {
        format!(
            "INDEXED BY conversions_order WHERE namespace = ?1 AND order_id = {order} AND is_test = 0"
        )
    };
    let found = match by {
        InitialBy::Click(click_id) => format!(
            "INDEXED BY conversions_click WHERE namespace = ?1 AND click_id = {}",
            bind(click_id.as_str().into())
        ),
        InitialBy::Order(_, order_id) => of_order(bind(order_id.as_str().into())),
        InitialBy::Customer { customer_id, parent_order_id, .. } => {
            let customer_id = bind(customer_id.as_str().into());
            let by_customer = customer_rows::initial_of(&customer_id, "?11");
            let by_order = parent_order_id.as_ref().map(|order| {
                let order = bind(order.as_str().into());
                format!(
                    "SELECT conversion_id FROM conversions {} AND campaign_id = ?11 AND event_id = 0",
                    of_order(order)
                )
            });
            let by_order = by_order.unwrap_or_else(|| "NULL".to_owned());
            format!(
                "WHERE namespace = ?1 AND conversion_id = COALESCE(({by_customer}), ({by_order}))"
            )
        }
    };
    let since = match initial.since {
        Some(since) => format!(" AND occurred_at >= {}", bind(since.ms().into())),
        None => String::new(),
    };
    format!(
        "EXISTS (SELECT 1 FROM conversions {found} \
         AND campaign_id = ?11 AND event_id = 0 AND affiliate_id = ?12 AND ref_id = ?10 \
         AND {STANDS}{since})"
    )
    .into()
}

/// That a conversion can be followed by events.
pub(crate) const STANDS: &str = stands!();

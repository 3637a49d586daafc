//! The row of a conversion, as in the table and in the answer copies.

use std::borrow::Cow;

use serde::Serialize;

use super::row::rows;
use super::{Statement, Value, cap_rows, changes, customer_rows, erased_rows, initial_guard, json};
use crate::domain::click_id::{Country, Flags};
use crate::domain::configuration::Status;
use crate::domain::conversion::{BY_COUPON, Conversion, FOR_LIFE, OVER_CAP, SentMoney, Source};
use crate::domain::delivery::of_conversion::REPORTED_AS;
use crate::domain::judgement::{Assumptions, InitialBy};
use crate::domain::money::{Currency, Decimal};
use crate::domain::namespace::Namespace;
use crate::domain::permission::Proof;
use crate::domain::time::Timestamp;

/// The columns, in the order of [`ConversionRow::values`], behind `namespace`.
pub(crate) const COLUMNS: &str = "conversion_id, request_id, received_at, occurred_at, source, proof, \
    click_id, clicked_at, ref_id, campaign_id, affiliate_id, event_id, order_id, status, status_reason, \
    currency, amount, revenue, payout, is_test, is_lead, click_flags, country, sent_money, first_status, \
    first_revenue, first_payout, warnings, parameters, goal, comment, explanation, revision, changed_by, refunds, event_name, \
    exchange_rate";

/// How many columns [`COLUMNS`] names.
pub(crate) const COLUMN_COUNT: usize = 37;

/// The values of `namespace` and [`COLUMNS`].
const PLACEHOLDERS: &str = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, \
    ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38";

rows! {
    /// A conversion as stored.
    #[derive(Clone, Debug, Serialize)]
    pub(crate) struct ConversionRow {
        pub(crate) conversion_id: String,
        pub(crate) request_id: String,
        received_at: u64,
        occurred_at: u64,
        source: String,
        proof: String,
        click_id: Option<String>,
        clicked_at: Option<u64>,
        ref_id: u32,
        campaign_id: u32,
        affiliate_id: u32,
        event_id: u32,
        order_id: Option<String>,
        status: String,
        status_reason: Option<String>,
        currency: String,
        amount: Option<i64>,
        revenue: i64,
        payout: i64,
        is_test: u8,
        is_lead: u8,
        click_flags: u8,
        country: Option<String>,
        pub(crate) sent_money: String,
        first_status: String,
        first_revenue: i64,
        first_payout: i64,
        warnings: String,
        parameters: String,
        goal: Option<String>,
        comment: Option<String>,
        pub(crate) explanation: String,
        pub(crate) revision: u32,
        pub(crate) changed_by: Option<String>,
        pub(crate) refunds: Option<String>,
        event_name: Option<String>,
        pub(crate) exchange_rate: Option<String>,
    }
}

impl ConversionRow {
    /// The row of a conversion.
    pub(crate) fn of(c: &Conversion) -> Self {
        Self::explained(c, |_| true)
    }

    /// The row as a copy keeps it: without the story of the decision, for which the ledger is asked
    /// anyway, except for what tells a repeat from something new.
    pub(crate) fn of_copy(c: &Conversion) -> Self {
        Self::explained(c, |what| what == OVER_CAP)
    }

    fn explained(c: &Conversion, is_kept: impl Fn(&str) -> bool) -> Self {
        let kept = c.explanation.iter().filter(|(what, _)| is_kept(what));
        Self {
            conversion_id: c.conversion_id.clone(),
            request_id: c.request_id.clone(),
            received_at: c.received_at.ms(),
            occurred_at: c.occurred_at.ms(),
            source: c.source.as_str().to_owned(),
            proof: c.proof.as_str().to_owned(),
            click_id: c.click_id.clone(),
            clicked_at: c.clicked_at.map(Timestamp::ms),
            ref_id: c.ref_id,
            campaign_id: c.campaign_id,
            affiliate_id: c.affiliate_id,
            event_id: c.event_id,
            order_id: c.order_id.clone(),
            status: c.status.as_str().to_owned(),
            status_reason: c.status_reason.clone(),
            currency: c.currency.code().to_owned(),
            amount: c.amount,
            revenue: c.revenue,
            payout: c.payout,
            is_test: c.is_test.into(),
            is_lead: c.is_lead.into(),
            click_flags: c.click_flags.bits(),
            country: c.country.map(|country| country.as_str().to_owned()),
            sent_money: json::object(
                c.sent_money.iter().map(|(name, value)| (*name, value.as_str())),
            ),
            first_status: c.first_status.as_str().to_owned(),
            first_revenue: c.first_revenue,
            first_payout: c.first_payout,
            warnings: json::warnings_to_text(&c.warnings),
            parameters: json::object(
                c.kept.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            ),
            goal: c.goal.clone(),
            comment: c.comment.clone(),
            explanation: json::object(kept.map(|(what, why)| (*what, why.as_str()))),
            revision: c.revision,
            changed_by: c.changed_by.clone(),
            refunds: c.refunds.as_ref().map(changes::refunds_to_text),
            event_name: c.event_name.clone(),
            exchange_rate: c.exchange_rate.map(Decimal::normalised),
        }
    }

    /// The bound values of [`COLUMNS`].
    pub(crate) fn values(self) -> [Value; COLUMN_COUNT] {
        [
            self.conversion_id.into(),
            self.request_id.into(),
            self.received_at.into(),
            self.occurred_at.into(),
            self.source.into(),
            self.proof.into(),
            self.click_id.into(),
            self.clicked_at.into(),
            self.ref_id.into(),
            self.campaign_id.into(),
            self.affiliate_id.into(),
            self.event_id.into(),
            self.order_id.into(),
            self.status.into(),
            self.status_reason.into(),
            self.currency.into(),
            self.amount.into(),
            self.revenue.into(),
            self.payout.into(),
            i64::from(self.is_test).into(),
            i64::from(self.is_lead).into(),
            i64::from(self.click_flags).into(),
            self.country.into(),
            self.sent_money.into(),
            self.first_status.into(),
            self.first_revenue.into(),
            self.first_payout.into(),
            self.warnings.into(),
            self.parameters.into(),
            self.goal.into(),
            self.comment.into(),
            self.explanation.into(),
            self.revision.into(),
            self.changed_by.into(),
            self.refunds.into(),
            self.event_name.into(),
            self.exchange_rate.into(),
        ]
    }

    /// The conversion of a row; `None` for a row that this version cannot read.
    pub(crate) fn conversion(self) -> Option<Conversion> {
        Some(Conversion {
            conversion_id: self.conversion_id,
            request_id: self.request_id,
            received_at: Timestamp::from_ms(self.received_at),
            occurred_at: Timestamp::from_ms(self.occurred_at),
            source: Source::from_word(&self.source)?,
            proof: Proof::from_word(&self.proof)?,
            click_id: self.click_id,
            clicked_at: self.clicked_at.map(Timestamp::from_ms),
            ref_id: self.ref_id,
            campaign_id: self.campaign_id,
            affiliate_id: self.affiliate_id,
            event_id: self.event_id,
            order_id: self.order_id,
            status: Status::from_word(&self.status)?,
            status_reason: self.status_reason,
            currency: Currency::parse(&self.currency)?,
            amount: self.amount,
            revenue: self.revenue,
            payout: self.payout,
            is_test: self.is_test != 0,
            is_lead: self.is_lead != 0,
            click_flags: Flags::from_bits(self.click_flags),
            country: self.country.as_deref().and_then(Country::parse),
            sent_money: sent_money(&self.sent_money),
            first_status: Status::from_word(&self.first_status)?,
            first_revenue: self.first_revenue,
            first_payout: self.first_payout,
            warnings: json::warnings_from_text(&self.warnings),
            kept: json::pairs(&self.parameters),
            goal: self.goal,
            comment: self.comment,
            explanation: explanation(&self.explanation),
            revision: self.revision,
            changed_by: self.changed_by,
            // What cannot be read must not pass for no refund: it would be paid twice.
            refunds: match self.refunds {
                None => None,
                Some(text) => Some(changes::refunds_from_text(&text)?),
            },
            event_name: self.event_name,
            exchange_rate: self.exchange_rate.as_deref().and_then(Decimal::parse_rate),
            customer: None,
        })
    }
}

/// `INSERT` of a conversion. The primary key and the unique index forbid counting a key or order
/// twice; the guards hold what else the decision assumed: that the click, whatever made earlier
/// keys, has none of this kind, that an event's initial conversion stands, that nothing near is the
/// same request, that no cap is full, and that nobody was erased; `erased` are the names by which the
/// customer would be remembered.
pub(crate) fn insert(
    namespace: &Namespace,
    conversion: &Conversion,
    assumed: &Assumptions,
    erased: &[String],
) -> Statement {
    // ?1 is the namespace, ?2… the columns: click_id is ?8, ref_id ?10, campaign_id ?11,
    // affiliate_id ?12 and event_id ?13. What the guards need besides follows.
    let mut parameters = vec![Value::from(namespace.as_str())];
    parameters.extend(ConversionRow::of(conversion).values());
    let mut guards: Vec<Cow<'static, str>> = Vec::new();
    if assumed.is_one_per_click {
        guards.push(IS_FIRST_OF_CLICK.into());
    }
    let mut bind = |value: Value| {
        parameters.push(value);
        format!("?{}", parameters.len())
    };
    if let (Some(initial), Some(by)) = (&assumed.initial, &assumed.question.initial) {
        guards.push(initial_guard::initial_stands(conversion, initial, by, &mut bind));
    }
    if let Some(near) = &assumed.question.near {
        let [before, after] = near.conversion_ids.each_ref().map(|id| bind(id.as_str().into()));
        let (from, to) = (bind(near.between.0.ms().into()), bind(near.between.1.ms().into()));
        guards.push(
            format!(
                "NOT EXISTS (SELECT 1 FROM conversions WHERE namespace = ?1 \
                 AND conversion_id IN ({before}, {after}) AND received_at BETWEEN {from} AND {to})"
            )
            .into(),
        );
    }
    if let Some(InitialBy::Customer { customer_id, .. }) = &assumed.question.initial
        && assumed.question.is_one_per_customer
    {
        let customer_id = bind(customer_id.as_str().into());
        let others = customer_rows::conversions_of(&customer_id, "?11", "?13");
        guards.push(format!("NOT EXISTS ({others})").into());
    }
    if let Some(customership) = &conversion.customer {
        let guard = customer_rows::belongs_as_seen(customership, &mut bind);
        guards.extend(guard.map(Cow::from));
    }
    guards.extend(erased_rows::is_nobody_erased(conversion.click_id.as_deref(), erased, &mut bind));
    let (mut column, mut mark) = ("", String::new());
    if !assumed.caps.places.is_empty() {
        (column, mark) = (", caps", format!(", {}", bind(cap_rows::marks(&assumed.caps).into())));
        guards.extend(cap_rows::guard(&assumed.caps, &mut bind).map(Cow::from));
    }
    let mut sql = String::with_capacity(SQL_BYTES);
    for piece in ["INSERT INTO conversions (namespace, ", COLUMNS, column, ") SELECT "] {
        sql.push_str(piece);
    }
    sql.push_str(PLACEHOLDERS);
    sql.push_str(&mark);
    for (index, guard) in guards.iter().enumerate() {
        sql.push_str(if index == 0 { " WHERE " } else { " AND " });
        sql.push_str(guard);
    }
    // Without a guard the parser would take ON for a join's.
    sql.push_str(if guards.is_empty() { " WHERE true" } else { "" });
    sql.push_str(" ON CONFLICT DO NOTHING");
    Statement::new(sql, parameters)
}

/// About as many bytes as the text of [`insert`] has.
const SQL_BYTES: usize = 1_200;

/// That the click has no conversion of this kind.
const IS_FIRST_OF_CLICK: &str = "NOT EXISTS (SELECT 1 FROM conversions INDEXED BY conversions_click \
     WHERE namespace = ?1 AND click_id = ?8 AND event_id = ?13)";

fn sent_money(text: &str) -> SentMoney {
    let names =
        ["click_id", "amount", "commission", "currency", "revenue", "payout", BY_COUPON, FOR_LIFE];
    let known =
        |(name, value): (String, String)| Some((*names.iter().find(|n| **n == name)?, value));
    json::pairs(text).into_iter().filter_map(known).collect()
}

fn explanation(text: &str) -> Vec<(&'static str, String)> {
    let names = [
        "attribution",
        "status",
        "revenue",
        "payout",
        "exchange",
        "updated",
        "refund",
        "claims_lost",
        "lifetime",
        OVER_CAP,
        "rule",
        "test",
        REPORTED_AS,
    ];
    let known =
        |(name, value): (String, String)| Some((*names.iter().find(|n| **n == name)?, value));
    json::pairs(text).into_iter().filter_map(known).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_its_place() {
        let numbered: Vec<String> = (1..=COLUMN_COUNT + 1).map(|n| format!("?{n}")).collect();
        assert_eq!(PLACEHOLDERS.split(", ").collect::<Vec<_>>(), numbered);
        assert_eq!(COLUMNS.split(", ").count(), COLUMN_COUNT);
    }
}

//! What is recorded of a postback's key, click, order and initial conversion, as SQL reads it.

use super::conversion_row::{COLUMNS, ConversionRow};
use super::initial_guard::STANDS;
use super::row::Read as _;
use super::sql::Sql;
use super::{Row, Statement, customer_rows};
use crate::app::ports::Unavailable;
use crate::domain::conversion::{Conversion, INITIAL};
use crate::domain::judgement::{Facts, Initial, InitialBy, Question};
use crate::domain::namespace::Namespace;

/// `SELECT` of every conversion that has to do with a question, each arm by its own index. D1
/// takes at most five arms.
pub(crate) fn select(namespace: &Namespace, question: &Question) -> Statement {
    let mut sql = Sql::default();
    let space = sql.bind(namespace.as_str());
    let mut keys = sql.bind(question.conversion_id.clone());
    for near in question.near.iter().flat_map(|near| &near.conversion_ids) {
        keys.push_str(", ");
        keys.push_str(&sql.bind(near.as_str()));
    }
    let mut click = sql.bind(question.click_id.clone());
    let event = sql.bind(question.event_id);
    let campaign = sql.bind(question.order.as_ref().map(|(campaign_id, _)| *campaign_id));
    let order = sql.bind(question.order.as_ref().map(|(_, order_id)| order_id.clone()));
    let all = sql.bind(question.is_all_of_click);
    let test = sql.bind(question.is_test);
    let mut of_customer = None;
    let initial = match &question.initial {
        None => None,
        // A click may have many orders; the newest that stands is followed.
        Some(InitialBy::Click(click_id)) => {
            let click = sql.bind(click_id.as_str());
            Some(format!(
                "conversions WHERE namespace = {space} AND conversion_id = (\
                 SELECT conversion_id FROM conversions INDEXED BY conversions_click \
                 WHERE namespace = {space} AND click_id = {click} AND event_id = 0 \
                 ORDER BY {STANDS} DESC, received_at DESC LIMIT 1)"
            ))
        }
        // What its click has of this event is asked as well: no click was named.
        Some(InitialBy::Order(campaign_id, order_id)) => {
            let (campaign, order) = (sql.bind(*campaign_id), sql.bind(order_id.as_str()));
            let parent = by_order(&space, &campaign, &order);
            click = format!("COALESCE({click}, (SELECT click_id FROM {parent}))");
            Some(parent)
        }
        Some(InitialBy::Customer { campaign_id, customer_id, parent_order_id }) => {
            let (campaign, customer) = (sql.bind(*campaign_id), sql.bind(customer_id.as_str()));
            let by_customer = customer_rows::initial_of(&customer, &campaign);
            let by_order = match parent_order_id {
                Some(order_id) => {
                    let order = sql.bind(order_id.as_str());
                    format!("SELECT conversion_id FROM {}", by_order(&space, &campaign, &order))
                }
                None => "NULL".to_owned(),
            };
            if question.is_one_per_customer {
                let theirs = customer_rows::conversions_of(&customer, &campaign, &event);
                of_customer = Some(format!(
                    "conversions WHERE namespace = {space} AND conversion_id IN ({theirs})"
                ));
            }
            let initial = format!(
                "conversions WHERE namespace = {space} \
                 AND conversion_id = COALESCE(({by_customer}), ({by_order}))"
            );
            click = format!("COALESCE({click}, (SELECT click_id FROM {initial}))");
            Some(initial)
        }
    };
    let arms = [
        Some(format!("conversions WHERE namespace = {space} AND conversion_id IN ({keys})")),
        Some(format!(
            "conversions INDEXED BY conversions_click \
             WHERE namespace = {space} AND click_id = {click} AND (event_id = {event} OR {all})"
        )),
        Some(format!(
            "conversions WHERE namespace = {space} AND campaign_id = {campaign} \
             AND event_id = {event} AND order_id = {order} AND is_test = {test}"
        )),
        initial,
        of_customer,
    ];
    let arms: Vec<String> =
        arms.iter().flatten().map(|arm| format!("SELECT {COLUMNS} FROM {arm}")).collect();
    sql.statement(arms.join(" UNION ALL "))
}

/// The initial conversion of an order, behind `FROM`. An order alone never names a test.
fn by_order(space: &str, campaign: &str, order: &str) -> String {
    format!(
        "conversions INDEXED BY conversions_order WHERE namespace = {space} \
         AND campaign_id = {campaign} AND event_id = 0 AND order_id = {order} AND is_test = 0"
    )
}

/// The facts in the rows. A row that cannot be read must not pass for an absent one: that would
/// count it again.
pub(crate) fn read(question: &Question, rows: Option<&Vec<Row>>) -> Result<Facts, Unavailable> {
    let conversion = |row| ConversionRow::read(row)?.conversion();
    let rows: Option<Vec<Conversion>> = rows.ok_or(Unavailable)?.iter().map(conversion).collect();
    let rows = rows.ok_or(Unavailable)?;
    let initial = question.initial.as_ref().map(|by| rows.iter().find(|row| is_initial(row, by)));
    let mut facts = Facts { is_read: true, ..Facts::default() };
    // Without the click itself its initial conversion names it.
    let click_id = question.click_id.as_ref().or_else(|| initial.flatten()?.click_id.as_ref());
    for row in &rows {
        let has_event = row.event_id == question.event_id;
        let is_near = question
            .near
            .as_ref()
            .is_some_and(|near| near.holds(&row.conversion_id, row.received_at));
        let is_same = Some(&row.conversion_id) == question.conversion_id.as_ref();
        if is_same || is_near && facts.by_key.is_none() {
            facts.by_key = Some(row.clone());
        }
        let is_of_click = row.click_id.is_some() && row.click_id.as_ref() == click_id;
        if has_event && is_of_click {
            facts.by_click = Some(row.clone());
        }
        // Of an event that counts once, every other one that was asked for is the customer's.
        if has_event && question.is_one_per_customer && facts.by_customer.is_none() {
            facts.by_customer = Some(row.clone());
        }
        let is_there = facts.of_click.iter().any(|c| c.conversion_id == row.conversion_id);
        if question.is_all_of_click && is_of_click && !is_there {
            facts.of_click.push(row.clone());
        }
        let order = row.order_id.clone().map(|order| (row.campaign_id, order));
        let has_event = has_event && row.is_test == question.is_test;
        if has_event && order.is_some() && order == question.order {
            facts.by_order = Some(row.clone());
        }
    }
    facts.initial = match initial {
        None => Initial::Assumed,
        Some(None) => Initial::Absent,
        Some(Some(initial)) => Initial::Known(Box::new(initial.clone())),
    };
    Ok(facts)
}

fn is_initial(row: &Conversion, by: &InitialBy) -> bool {
    let is_named = match by {
        InitialBy::Click(click_id) => row.click_id.as_ref() == Some(click_id),
        // No other initial conversion is asked for together with an event.
        InitialBy::Customer { campaign_id, .. } => row.campaign_id == *campaign_id,
        InitialBy::Order(campaign_id, order_id) => {
            !row.is_test
                && row.campaign_id == *campaign_id
                && row.order_id.as_ref() == Some(order_id)
        }
    };
    row.event_id == INITIAL && is_named
}

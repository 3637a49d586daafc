//! Customers: who they are, to whom they belong, and which conversions are theirs. Nothing of this
//! is read or written for a conversion that names no customer.

use super::initial_guard::STANDS;
use super::row::{Read as _, rows};
use super::{Row, Statement, Value};
use crate::app::ports::Unavailable;
use crate::domain::attribution::{Credited, Customer};
use crate::domain::conversion::{Conversion, Customership};
use crate::domain::judgement::Question;
use crate::domain::namespace::Namespace;

/// A customer of a campaign, in a subquery: the columns, and placeholders of the values.
fn customer(columns: &str, campaign: &str, customer_id: &str) -> String {
    format!(
        "SELECT {columns} FROM customers INDEXED BY customers_customer_id \
         WHERE namespace = ?1 AND customer_id = {customer_id} AND campaign_id = {campaign}"
    )
}

rows! {
    struct CustomerRow {
        id: u64,
        affiliate_id: u32,
        ref_id: u32,
    }
}

/// `SELECT` of the customer of a question.
pub(crate) fn select(namespace: &Namespace, question: &Question) -> Option<Statement> {
    let (campaign_id, customer_id) = question.customer.as_ref()?;
    Some(Statement::new(
        customer("id, affiliate_id, ref_id", "?2", "?3"),
        vec![namespace.as_str().into(), (*campaign_id).into(), customer_id.as_str().into()],
    ))
}

/// The customer in its rows. A row that cannot be read must not pass for an absent one.
pub(crate) fn read(rows: Option<&Vec<Row>>) -> Result<Option<Customer>, Unavailable> {
    let Some(row) = rows.and_then(|rows| rows.first()) else { return Ok(None) };
    let CustomerRow { id, affiliate_id, ref_id } = CustomerRow::read(row).ok_or(Unavailable)?;
    let credited = (ref_id != 0).then_some(Credited { affiliate_id, ref_id });
    Ok(Some(Customer { id, credited }))
}

/// That the customer belongs to whom the decision saw, in the insert of a conversion: ?11 is its
/// campaign.
pub(crate) fn belongs_as_seen(
    customership: &Customership,
    bind: &mut impl FnMut(Value) -> String,
) -> Option<String> {
    let seen = bind(customership.seen_ref_id?.into());
    let customer_id = bind(customership.customer_id.as_str().into());
    Some(format!("COALESCE(({}), 0) = {seen}", customer("ref_id", "?11", &customer_id)))
}

/// The conversions of a customer, in a subquery.
pub(crate) fn conversions_of(customer_id: &str, campaign: &str, event: &str) -> String {
    format!(
        "SELECT conversion_id FROM conversion_customers WHERE namespace = ?1 \
         AND customer_id = {customer_id} AND campaign_id = {campaign} AND event_id = {event}"
    )
}

/// The initial conversion that events of a customer follow, in a subquery: the first one that
/// stands. The newest would give a repeated event another key as soon as the customer buys again.
pub(crate) fn initial_of(customer_id: &str, campaign: &str) -> String {
    format!(
        "SELECT c.conversion_id FROM conversion_customers AS k CROSS JOIN conversions AS c \
         ON c.namespace = k.namespace AND c.conversion_id = k.conversion_id \
         WHERE k.namespace = ?1 AND k.customer_id = {customer_id} AND k.campaign_id = {campaign} \
         AND k.event_id = 0 ORDER BY {STANDS} DESC, c.received_at, c.conversion_id LIMIT 1"
    )
}

/// What is written beside a conversion that names a customer: whose it is, and the profile, which
/// may begin to belong to somebody, once. Only beside a conversion that this request made, so that
/// a repeated write changes nothing. A test leaves nothing of the customer, or his later purchases
/// and events would follow it.
pub(crate) fn insert_beside(namespace: &Namespace, conversion: &Conversion) -> Vec<Statement> {
    let customership = conversion.customer.as_ref().filter(|_| !conversion.is_test);
    let Some(customership) = customership else { return Vec::new() };
    let of_conversion: Vec<Value> = vec![
        namespace.as_str().into(),
        conversion.conversion_id.as_str().into(),
        conversion.request_id.as_str().into(),
        conversion.campaign_id.into(),
        customership.customer_id.as_str().into(),
    ];
    let is_made = "EXISTS (SELECT 1 FROM conversions \
                   WHERE namespace = ?1 AND conversion_id = ?2 AND request_id = ?3)";
    let whose = format!(
        "INSERT INTO conversion_customers (namespace, customer_id, campaign_id, event_id, conversion_id) \
         SELECT ?1, ?5, ?4, ?6, ?2 WHERE {is_made} ON CONFLICT DO NOTHING"
    );
    let profile = format!(
        "INSERT INTO customers (namespace, id, campaign_id, customer_id, affiliate_id, ref_id, created_at) \
         SELECT ?1, (SELECT COALESCE(MAX(id), 0) FROM customers WHERE namespace = ?1) + 1, ?4, ?5, ?6, ?7, ?8 \
         WHERE {is_made} ON CONFLICT (namespace, customer_id, campaign_id) DO UPDATE \
         SET affiliate_id = excluded.affiliate_id, ref_id = excluded.ref_id \
         WHERE ref_id = 0 AND excluded.ref_id > 0"
    );
    let (affiliate_id, ref_id) = match customership.is_link_made {
        true => (conversion.affiliate_id, conversion.ref_id),
        false => (0, 0),
    };
    let mut of_profile = of_conversion.clone();
    of_profile.extend([affiliate_id.into(), ref_id.into(), conversion.received_at.ms().into()]);
    let mut of_whose = of_conversion;
    of_whose.push(conversion.event_id.into());
    vec![Statement::new(whose, of_whose), Statement::new(profile, of_profile)]
}

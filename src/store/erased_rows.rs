//! Who was erased, as it is asked before anything is written of anybody.

use std::borrow::Cow;

use super::{Blobs, Database, Row, Statement, Stores, Value};
use crate::app::ports::InboxEntry;
use crate::domain::erasure::{name_of_click, names_of_customer};
use crate::domain::namespace::Namespace;
use crate::domain::verdict::Verdict;

/// That somebody of these names was erased; ?1 is the namespace.
pub(crate) fn is_erased(names: &[String], bind: &mut impl FnMut(Value) -> String) -> String {
    let names: Vec<String> = names.iter().map(|name| bind(name.as_str().into())).collect();
    format!(
        "EXISTS (SELECT 1 FROM erased_persons WHERE namespace = ?1 AND person IN ({}))",
        names.join(", ")
    )
}

/// That neither click (?8) nor customer was erased, in the insert of a conversion. It costs the
/// click a search by the primary key, and no bound value.
pub(crate) fn is_nobody_erased(
    click_id: Option<&str>,
    customer: &[String],
    bind: &mut impl FnMut(Value) -> String,
) -> Vec<Cow<'static, str>> {
    let click = "NOT EXISTS (SELECT 1 FROM erased_persons WHERE namespace = ?1 AND person = substr(?8, 33))";
    let mut guards: Vec<_> = click_id.map(|_| click.into()).into_iter().collect();
    if !customer.is_empty() {
        guards.push(format!("NOT {}", is_erased(customer, bind)).into());
    }
    guards
}

/// `SELECT` of those of a click and a customer who were erased; `None` if there is neither.
pub(crate) fn select(
    namespace: &Namespace,
    click_id: Option<&str>,
    customer: &[String],
) -> Option<Statement> {
    let click = click_id.and_then(name_of_click);
    let names: Vec<&str> = click.into_iter().chain(customer.iter().map(String::as_str)).collect();
    let places: Vec<String> = (2..names.len() + 2).map(|n| format!("?{n}")).collect();
    let mut parameters: Vec<Value> = vec![namespace.as_str().into()];
    parameters.extend(names.iter().map(|name| Value::from(*name)));
    (!names.is_empty()).then(|| {
        let places = places.join(", ");
        let sql = format!(
            "SELECT person FROM erased_persons WHERE namespace = ?1 AND person IN ({places})"
        );
        Statement::new(sql, parameters)
    })
}

/// Whether the click, and whether the customer.
pub(crate) fn read(rows: Option<&Vec<Row>>, click_id: Option<&str>) -> (bool, bool) {
    let click = click_id.and_then(name_of_click);
    let names = rows.into_iter().flatten().filter_map(|row| row.get("person")?.as_str());
    let (clicks, customers): (Vec<_>, Vec<_>) = names.partition(|name| Some(*name) == click);
    (!clicks.is_empty(), !customers.is_empty())
}

impl<D: Database, B: Blobs> Stores<D, B> {
    /// By which names a customer would be remembered; none without a customer.
    pub(super) fn names_of_customer(
        &self,
        namespace: &Namespace,
        customer_id: Option<&str>,
    ) -> Vec<String> {
        let names = |id| names_of_customer(&self.settings.keyring, namespace, id);
        customer_id.map(names).unwrap_or_default()
    }

    /// Whom an inbox row must not bring back. What records a conversion of a click has been checked
    /// beside it.
    pub(super) fn names_if_erased(&self, namespace: &Namespace, entry: &InboxEntry) -> Vec<String> {
        let value = |wanted: &str| {
            let mut found = entry.parameters.iter().filter(|(name, _)| name == wanted);
            found.next().map(|(_, value)| value.as_str())
        };
        let mut names = self.names_of_customer(namespace, value("customer_id"));
        if entry.verdict != Verdict::Recorded {
            names.extend(value("click_id").and_then(name_of_click).map(str::to_owned));
        }
        names
    }
}

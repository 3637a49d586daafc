//! `DELETE /persons`: erases a person, a step at each call.

use serde_json::{Map, Value, json};

use super::{Call, Stores, paging, problem};
use crate::app::access::Scope;
use crate::app::erase::step;
use crate::domain::erasure::Person;
use crate::http::response::Response;

/// Takes a step.
pub(super) async fn erase<S: Stores>(call: &Call<'_, S>) -> Result<Response, Response> {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    if !call.access.may(Scope::Pii) {
        return Err(problem::missing_scope(Scope::Pii));
    }
    let person = person(call)?;
    let step = step(call.stores, namespace, &person, call.moment.now).await;
    let step = step.map_err(|_| problem::storage_unavailable())?;
    let count =
        |(part, count): (crate::app::erase::Part, u64)| (part.as_str().to_owned(), count.into());
    let erased: Map<String, Value> = step.parts.counts().map(count).collect();
    Ok(Response::json(200, &json!({ "erased": erased, "is_done": step.is_done })))
}

fn person<S>(call: &Call<'_, S>) -> Result<Person, Response> {
    let mut persons = Vec::new();
    for (name, text) in paging::parameters(call.request)? {
        if !paging::is_plain(&text) {
            let detail = "it has control characters, or more than 300 bytes.";
            return Err(problem::invalid_parameter(&name, detail));
        }
        persons.push(match name.as_str() {
            "click_id" => Person::Click(text),
            "customer_id" => Person::Customer(text),
            _ => return Err(problem::unknown_parameter(&name, "click_id, customer_id")),
        });
    }
    match (persons.pop(), persons.is_empty()) {
        (Some(person), true) => Ok(person),
        _ => {
            let detail = "send one of click_id and customer_id.";
            Err(problem::invalid_parameter("of the person", detail))
        }
    }
}

//! `GET /bins/{name}`: what a request bin got.

use serde_json::{Value, json};

use crate::app::access::Scope;
use crate::app::bins::BinRequest;
use crate::domain::connector::bin;
use crate::domain::connector::render::{body_without_secrets, is_secret};
use crate::http::api::{Call, Stores, problem};
use crate::http::response::Response;

/// The newest first. A bin that got nothing is empty; there is no other.
pub(in crate::http::api) async fn show(
    call: &Call<'_, impl Stores>,
    name: &str,
) -> Result<Response, Response> {
    if !bin::is_name(name) {
        return Err(problem::not_found("bin"));
    }
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let requests = call.stores.bin_requests(namespace, name, call.moment.now).await;
    let requests = requests.map_err(|_| problem::storage_unavailable())?;
    let (may_see_persons, may_see_secrets) =
        (call.access.may(Scope::Pii), call.access.may(Scope::Write));
    let data: Vec<Value> =
        requests.iter().map(|one| shown(one, may_see_persons, may_see_secrets)).collect();
    Ok(Response::json(200, &json!({ "data": data })))
}

fn shown(request: &BinRequest, may_see_persons: bool, may_see_secrets: bool) -> Value {
    let masked = request.masked.as_ref().filter(|_| !may_see_persons);
    let headers = masked.map_or(&request.headers, |masked| &masked.headers);
    let body = masked.map_or(&request.body, |masked| &masked.body);
    let is_in_full = may_see_persons && may_see_secrets;
    let header = |(name, value): &(String, String)| {
        let value = if may_see_secrets || !is_secret(name) { value } else { "***" };
        json!({ "name": name, "value": value })
    };
    json!({
        "at": request.at.to_rfc3339(),
        "method": request.method,
        "url": if is_in_full { &request.url } else { &request.shown_url },
        "headers": headers.iter().map(header).collect::<Vec<_>>(),
        "body": body.as_deref().map(|body| match may_see_secrets {
            true => body.to_owned(),
            false => body_without_secrets(body),
        }),
        "status": request.status,
    })
}

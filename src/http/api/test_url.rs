//! An address whose clicks are tests, ready to copy.

use serde_json::{Value, json};

use super::{Call, Stores, problem};
use crate::app::catalog::resources;
use crate::domain::test_click;
use crate::domain::time::Timestamp;
use crate::http::response::Response;

/// `POST /links/{id}/test-url`. Nothing is written: the address carries its own proof.
pub(super) async fn make(call: &Call<'_, impl Stores>, id: &str) -> Result<Response, Response> {
    let not_found = || problem::not_found(resources::LINKS.singular);
    let key = super::paging::number(id).ok_or_else(not_found)?;
    let link = call.stores.find(call.place(&resources::LINKS), &key).await;
    let link = link.map_err(|_| problem::storage_unavailable())?.ok_or_else(not_found)?;
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let number = |name: &str| link.get(name).and_then(Value::as_u64);
    let ref_id = number("id").and_then(|id| u32::try_from(id).ok()).ok_or_else(not_found)?;
    let now = call.moment.now.ms();
    let expires = Timestamp::from_ms(now - now % 1_000).plus_ms(test_click::VALID_MS);
    let proof = test_click::parameters(&call.settings.keyring, namespace, ref_id, expires);
    // Without any key no click_id could be signed either.
    let proof = proof.ok_or_else(problem::storage_unavailable)?;
    let origin = call.settings.origin_of(namespace);
    let url = format!("{origin}/click?ref_id={ref_id}&{proof}");
    Ok(Response::json(200, &json!({ "url": url, "expires_at": expires.to_rfc3339() })))
}

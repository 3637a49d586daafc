//! The secrets with which connectors sign what they send.

use serde_json::json;

use super::deliveries::connector_id;
use super::{Call, Stores, problem};
use crate::domain::delivery::standard_webhooks::{OVERLAP_MS, Secret, Secrets};
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use crate::http::response::Response;

type Answer = Result<Response, Response>;

/// `GET /connectors/{id}/secret`.
pub(super) async fn show<S: Stores>(call: &Call<'_, S>, id: &str) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let id = connector_id(id)?;
    let secrets = call.stores.secrets(namespace, id.into()).await;
    let secrets = secrets.map_err(|_| problem::storage_unavailable())?;
    shown(call, namespace, id, secrets)
}

/// `POST /connectors/{id}/rotate`: makes the next secret, then shows it.
pub(super) async fn rotate<S: Stores>(call: &Call<'_, S>, id: &str) -> Answer {
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let id = connector_id(id)?;
    let newest = call.settings.keyring.newest().unwrap_or_default();
    let secrets = call.stores.rotate(namespace, id, newest, call.moment.now).await;
    let secrets = secrets.map_err(|_| problem::storage_unavailable())?;
    shown(call, namespace, id, secrets)
}

fn shown<S>(
    call: &Call<'_, S>,
    namespace: &Namespace,
    id: u32,
    secrets: Option<Secrets>,
) -> Answer {
    let secrets = secrets.ok_or_else(|| problem::not_found("connector"))?;
    let signing = secrets.signing(&call.settings.keyring, namespace, id, call.moment.now);
    let mut signing = signing.iter().map(Secret::shown);
    let (secret, former) = (signing.next(), signing.next());
    let until = secrets.rotated_at.filter(|_| former.is_some());
    let until = until.map(|at| Timestamp::to_rfc3339(at.plus_ms(OVERLAP_MS)));
    let answer = json!({ "secret": secret, "former_secret": former, "former_valid_until": until });
    Ok(Response::json(200, &answer))
}

//! Every refusal of the API: status, code, and what the person who reads it should do.

use super::value::Fault;
use crate::app::access::{Refused, Scope};
use crate::app::catalog::resource::Resource;
use crate::app::catalog::resources;
use crate::app::catalog::{Stopped, WriteFault};
use crate::app::history;
use crate::http::response::Response;

/// A field at fault: its name, a code, a sentence.
pub(super) type FieldFault = (String, &'static str, String);

/// The most faults that are told at once; 5,000 links may have one each.
const MAX_FAULTS: usize = 100;

/// How long to wait before calling again, in seconds.
const RETRY_AFTER: &str = "2";

pub(super) fn not_admitted(refused: Refused) -> Response {
    match refused {
        Refused::UnknownKey => Response::problem(
            401,
            "unauthorized",
            "Send a valid key in the header Authorization: Bearer KEY.",
        )
        .with("www-authenticate", "Bearer"),
        Refused::OtherNamespace => Response::problem(
            404,
            "not_found",
            "The host or the header X-Backtrail-Namespace names a namespace that this key does not \
             reach, or that does not exist.",
        ),
        Refused::Unavailable => storage_unavailable(),
    }
}

pub(super) fn storage_unavailable() -> Response {
    Response::problem(
        503,
        "storage_unavailable",
        "The database did not answer. Send the request again; with an Idempotency-Key it happens \
         at most once.",
    )
    .with("retry-after", RETRY_AFTER)
}

pub(super) fn no_such_address() -> Response {
    let names = resources::ALL.into_iter().chain(history::ALL).map(|resource| resource.name);
    let calls = ["explain", "macros", "bins", "persons"];
    let names = names.chain(calls).collect::<Vec<_>>().join(", ");
    let detail = format!("There is nothing at this address. Below /api/v1/ there are {names}.");
    Response::problem(404, "not_found", &detail)
}

pub(super) fn not_found(singular: &str) -> Response {
    let detail = format!("There is no such {singular} in this namespace.");
    Response::problem(404, "not_found", &detail)
}

pub(super) fn method_not_allowed(allowed: &str) -> Response {
    let detail = format!("This address answers to {allowed} only.");
    Response::problem(405, "method_not_allowed", &detail).with("allow", allowed)
}

pub(super) fn missing_scope(scope: Scope) -> Response {
    let detail = format!("This key lacks the scope {}; use one that has it.", scope.as_str());
    Response::problem(403, "missing_scope", &detail)
}

pub(super) fn root_only() -> Response {
    Response::problem(403, "missing_scope", "Only the root key creates namespaces.")
}

pub(super) fn namespace_required() -> Response {
    Response::problem(
        400,
        "namespace_required",
        "The root key has to say which namespace is meant: call its tracking host, or send the \
         header X-Backtrail-Namespace.",
    )
}

pub(super) fn too_large(limit: usize) -> Response {
    let detail = format!("The body may have at most {limit} bytes; send less at once.");
    Response::problem(413, "too_large", &detail)
}

pub(super) fn unsupported_media_type() -> Response {
    Response::problem(
        415,
        "unsupported_media_type",
        "Send JSON with the header Content-Type: application/json.",
    )
}

pub(super) fn invalid_json(detail: &str) -> Response {
    Response::problem(400, "invalid_json", detail)
}

pub(super) fn invalid_idempotency_key(limit: usize) -> Response {
    let detail = format!("An Idempotency-Key has 1 to {limit} visible ASCII characters.");
    Response::problem(400, "invalid_idempotency_key", &detail)
}

pub(super) fn invalid_cursor() -> Response {
    Response::problem(
        400,
        "invalid_cursor",
        "Take the cursor from next_cursor of the page before, or leave it out to begin anew.",
    )
}

pub(super) fn invalid_parameter(name: &str, detail: &str) -> Response {
    let detail = format!("The parameter {name} is not valid: {detail}");
    Response::problem(400, "invalid_parameter", &detail)
}

pub(super) fn unknown_parameter(name: &str, known: &str) -> Response {
    let detail = match known {
        "" => format!("This call takes no parameter {name}, nor any other; leave it out."),
        _ => format!("There is no parameter {name} here; there are {known}."),
    };
    Response::problem(400, "unknown_parameter", &detail)
}

pub(super) fn invalid_fields(mut faults: Vec<FieldFault>) -> Response {
    faults.truncate(MAX_FAULTS);
    let detail = match faults.as_slice() {
        [(field, _, message)] => format!("{field}: {message}"),
        _ => "Some fields are not valid; each is named under errors.".to_owned(),
    };
    Response::problem_of_fields(400, "invalid_fields", &detail, &faults)
}

/// A field at fault.
pub(super) fn field(name: &str, (code, message): Fault) -> FieldFault {
    (name.to_owned(), code, message)
}

/// A field that refers to nothing.
pub(super) fn dangling(field: String) -> FieldFault {
    let message = "There is no object of this id in this namespace.".to_owned();
    (field, "unknown_reference", message)
}

/// An affiliate cannot be credited in a campaign without a link of it.
fn linkless(field: String) -> FieldFault {
    let message = "This affiliate has no link of the campaign, by which everything is credited; \
                   create one first (under /api/v1/links)."
        .to_owned();
    (field, "link_required", message)
}

/// The owner of a resource has as many as it may have.
fn full(resource: &Resource) -> Response {
    let most = resource.bound.map_or(0, |bound| bound.most);
    let detail = match resource.bound.and_then(|bound| bound.owner) {
        Some(_) => format!(
            "This campaign has {most} active {}s already, and can have no more; archive some first.",
            resource.singular
        ),
        None => format!(
            "This namespace has {most} {}s already, and can have no more; delete those that no sale \
             is reported for any more, or change one instead of adding another.",
            resource.singular
        ),
    };
    Response::problem(409, "too_many", &detail)
}

/// Another object has this already; of a list, which ones are at fault.
fn taken(resource: &Resource, column: String, places: &[usize]) -> Response {
    // The campaign is the last column of the index, behind what is taken.
    let is_behind = resource.name == resources::CUSTOMERS.name && column == "campaign_id";
    let column = if is_behind { "customer_id".to_owned() } else { column };
    let detail = format!("Another {} has this {column} already.", resource.singular);
    if places.is_empty() {
        return Response::problem(409, "conflict", &detail);
    }
    let fault =
        |place: &usize| (format!("{}[{place}].{column}", resource.name), "taken", detail.clone());
    let faults: Vec<FieldFault> = places.iter().map(fault).collect();
    let detail =
        "Some of the list are there already, and none was created; they are named under errors.";
    Response::problem_of_fields(409, "conflict", detail, &faults)
}

/// Why a use case stopped.
pub(super) fn stopped(resource: &Resource, stopped: Stopped<Vec<FieldFault>>) -> Response {
    // A column is named as the field that it holds.
    let name = |column: String| {
        let field = resource.fields.iter().find(|field| field.column() == column);
        field.map_or(column, |field| field.name.to_owned())
    };
    match stopped {
        Stopped::Invalid(faults) => invalid_fields(faults),
        Stopped::NotFound => not_found(resource.singular),
        Stopped::NameReused => Response::problem(
            409,
            "idempotency_key_reused",
            "This Idempotency-Key was used for another request; choose a new one.",
        ),
        Stopped::Write(WriteFault::Unavailable) => storage_unavailable(),
        Stopped::Write(WriteFault::Taken(column)) => taken(resource, name(column), &[]),
        Stopped::Taken(column, places) => taken(resource, name(column), &places),
        Stopped::Write(WriteFault::Missing(column)) if column == "hash" => Response::problem(
            409,
            "conflict",
            "Two tokens of this owner are valid already; revoke one of them first.",
        ),
        Stopped::Write(WriteFault::Missing(column)) if column == "derivation" => Response::problem(
            409,
            "conflict",
            "Two signing secrets of this campaign are valid already; revoke one of them first.",
        ),
        Stopped::Write(WriteFault::Missing(column)) if column == "ref_id" => {
            invalid_fields(vec![linkless("affiliate_id".to_owned())])
        }
        Stopped::Dangling(column, places) if column == "ref_id" => {
            let fault = |place| linkless(format!("{}[{place}].affiliate_id", resource.name));
            invalid_fields(places.into_iter().map(fault).collect())
        }
        Stopped::Write(WriteFault::Missing(column))
            if resource.bound.is_some_and(|bound| bound.column == column) =>
        {
            full(resource)
        }
        Stopped::Write(WriteFault::Missing(column)) => invalid_fields(vec![dangling(name(column))]),
        Stopped::Dangling(column, places) => {
            let field = name(column);
            let fault = |place| dangling(format!("{}[{place}].{field}", resource.name));
            invalid_fields(places.into_iter().map(fault).collect())
        }
        Stopped::Write(WriteFault::Refused) => Response::problem(
            409,
            "conflict",
            "The change contradicts what is stored; read the object again.",
        ),
    }
}

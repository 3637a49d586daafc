//! The API for operators' programs (wire.md 10): everything below `/api/`.
//!
//! Here live the routes, the door (key, namespace, scope) and the problems it answers with;
//! `objects` serves what is managed, `past` what happened.

mod body;
mod connectors;
mod deliveries;
mod description;
mod explain;
mod input;
mod judge_again;
mod objects;
mod paging;
mod past;
mod persons;
mod postback_urls;
mod problem;
mod render;
mod rules;
mod signing;
mod statuses;
mod steps;
mod test_url;
mod value;

pub(super) use description::describe;

use super::apart;
use super::request::{Method, Request};
use super::response::{Body, Response};
use crate::app::access::{self, Access, Doorkeeper, Scope};
use crate::app::bins::Bins;
use crate::app::catalog::resource::{Removal, Resource};
use crate::app::catalog::resources::{self, NAMESPACES};
use crate::app::catalog::{Catalog, Place};
use crate::app::connectors::Neighbourhood;
use crate::app::deliveries::Deliveries;
use crate::app::erase::Eraser;
use crate::app::explain::Archive;
use crate::app::full_caps::CapUses;
use crate::app::history::{self, History};
use crate::app::judge::{self, Errand};
use crate::app::judge_again::Refused;
use crate::app::memory::Memory;
use crate::app::outbox::Audiences;
use crate::app::ports::ConfigurationCopies;
use crate::app::sender::Sender;
use crate::app::settings::{Moment, Settings};
use crate::app::statuses::Statuses;
use crate::app::steps::Budget;
use crate::domain::verdict::Reason;

/// What the API needs of the stores.
pub trait Stores:
    Catalog
    + Doorkeeper
    + ConfigurationCopies
    + History
    + Statuses
    + Audiences
    + Explanations
    + Integrations
    + judge::Ports
{
}
impl<S> Stores for S where
    S: Catalog
        + Doorkeeper
        + ConfigurationCopies
        + History
        + Statuses
        + Audiences
        + Explanations
        + Integrations
        + judge::Ports
{
}

/// What explaining, judging again, erasing, showing caps and sending again need of them.
pub trait Explanations: Archive + Refused + Budget + Eraser + CapUses + Deliveries {}
impl<S: Archive + Refused + Budget + Eraser + CapUses + Deliveries> Explanations for S {}

/// What connectors need of them.
pub trait Integrations: Neighbourhood + Bins + Sender {}
impl<S: Neighbourhood + Bins + Sender> Integrations for S {}

/// One call of the API, let in.
struct Call<'a, S> {
    stores: &'a S,
    memory: &'a Memory,
    settings: &'a Settings,
    moment: &'a Moment<'a>,
    request: &'a Request<'a>,
    access: Access,
}

/// What an address below `/api/v1/` names.
#[derive(Clone, Copy)]
enum Target<'a> {
    All(&'static Resource),
    One(&'static Resource, &'a str),
    Past(&'static Resource),
    PastOne(&'static Resource, &'a str),
    Judgement(&'a str),
    Statuses,
    Conversion(&'a str),
    Changes(&'a str),
    PostbackUrls(&'a str),
    TestUrl(&'a str),
    Judgements,
    Explanation,
    Persons,
    Replay(&'a str),
    Replays,
    Cancelling(&'a str),
    Secret(&'a str),
    Rotation(&'a str),
    Macros,
    Bin(&'a str),
    Preview,
    Test(&'a str),
    Approval(&'a str),
}

/// Answers any request whose path begins with `/api/`.
///
/// 1. Who is it: 401, or 404 if host, header and key disagree about the namespace.
/// 2. What is addressed: 404; and how: 405.
/// 3. May it: 403; and is a namespace named: 400.
/// 4. Does it ask for what is not done here: 400, so that nobody takes a call that acts on
///    everything for one that acts on what a parameter or field names (wire.md 10).
/// 5. The call itself.
pub async fn respond(
    stores: &impl Stores,
    memory: &Memory,
    settings: &Settings,
    moment: &Moment<'_>,
    request: &Request<'_>,
) -> Response {
    let response =
        answer(stores, memory, settings, moment, request).await.unwrap_or_else(|problem| problem);
    match request.method {
        Method::Head => Response { body: Body::Empty, ..response },
        _ => response,
    }
}

async fn answer(
    stores: &impl Stores,
    memory: &Memory,
    settings: &Settings,
    moment: &Moment<'_>,
    request: &Request<'_>,
) -> Result<Response, Response> {
    // 1
    let presented = body::bearer(request.headers.authorization);
    let host = request.bare_host();
    let access = access::admit(stores, settings, presented, &host, request.headers.namespace)
        .await
        .map_err(problem::not_admitted)?;

    // 2
    let target = target(request.path).ok_or_else(problem::no_such_address)?;
    let method = if request.method == Method::Head { Method::Get } else { request.method };
    let allowed = methods(target);
    if !allowed.iter().any(|(m, _)| *m == method) {
        let names: Vec<&str> = allowed.iter().map(|(_, name)| *name).collect();
        return Err(problem::method_not_allowed(&names.join(", ")));
    }

    // 3
    let scope = match (target, method) {
        (Target::Approval(_), _) => Scope::Approve,
        // Whoever has it can sign.
        (Target::Secret(_), _) => Scope::Write,
        // Nothing is written.
        (_, Method::Get) | (Target::Preview, _) => Scope::Read,
        _ => Scope::Write,
    };
    if !access.may(scope) {
        return Err(problem::missing_scope(scope));
    }
    let of_namespaces =
        matches!(target, Target::All(r) | Target::One(r, _) if r.name == NAMESPACES.name);
    if of_namespaces && method == Method::Post && !access.is_root() {
        return Err(problem::root_only());
    }
    if !of_namespaces && access.is_namespace_unknown {
        return Err(problem::not_admitted(access::Refused::OtherNamespace));
    }
    if !of_namespaces && access.namespace.is_none() {
        return Err(problem::namespace_required());
    }

    // 4
    if !reads_query(target, method)
        && let Some((name, _)) = paging::parameters(request)?.first()
    {
        return Err(problem::unknown_parameter(name, ""));
    }
    if !reads_body(target, method) {
        body::nothing(request)?;
    }

    // 5
    let call = Call { stores, memory, settings, moment, request, access };
    let called = match (target, method) {
        (Target::All(resource), Method::Get) => apart(objects::list(&call, resource)),
        (Target::All(resource), _) => apart(objects::create(&call, resource)),
        (Target::One(resource, key), Method::Get) => apart(objects::show(&call, resource, key)),
        (Target::One(resource, key), Method::Patch) => apart(objects::change(&call, resource, key)),
        (Target::One(resource, key), _) => apart(objects::remove(&call, resource, key)),
        (Target::Past(resource), _) => apart(past::list(&call, resource)),
        (Target::PastOne(resource, key), _) => apart(past::show(&call, resource, key)),
        (Target::PostbackUrls(id), _) => apart(postback_urls::list(&call, id)),
        (Target::TestUrl(id), _) => apart(test_url::make(&call, id)),
        (Target::Judgement(request_id), _) => apart(judge_again(&call, request_id)),
        (Target::Statuses, _) => apart(statuses::change_many(&call)),
        (Target::Conversion(id), Method::Get) => {
            apart(past::show(&call, &history::CONVERSIONS, id))
        }
        (Target::Conversion(id), _) => apart(statuses::change(&call, id)),
        (Target::Changes(id), _) => apart(statuses::trail(&call, id)),
        (Target::Judgements, _) => apart(judge_again::respond(&call)),
        (Target::Explanation, _) => apart(explain::show(&call)),
        (Target::Persons, _) => apart(persons::erase(&call)),
        (Target::Replay(id), _) => apart(deliveries::replay(&call, id)),
        (Target::Replays, _) => apart(deliveries::replay_many(&call)),
        (Target::Cancelling(id), _) => apart(deliveries::cancel(&call, id)),
        (Target::Secret(id), _) => apart(signing::show(&call, id)),
        (Target::Rotation(id), _) => apart(signing::rotate(&call, id)),
        (Target::Macros, _) => apart(connectors::macros(&call)),
        (Target::Bin(name), _) => apart(connectors::show_bin(&call, name)),
        (Target::Preview, _) => apart(connectors::preview(&call)),
        (Target::Test(id), _) => apart(connectors::test(&call, id)),
        (Target::Approval(id), _) => apart(connectors::approve(&call, id)),
    };
    called.await
}

fn target(path: &str) -> Option<Target<'_>> {
    let rest = path.strip_prefix("/api/v1/")?;
    let managed = |name: &str| resources::ALL.into_iter().find(|r| r.name == name);
    let past = |name: &str| history::ALL.into_iter().find(|r| r.name == name);
    let mut segments = rest.split('/');
    match (segments.next()?, segments.next(), segments.next(), segments.next()) {
        ("explain", None, ..) => Some(Target::Explanation),
        ("persons", None, ..) => Some(Target::Persons),
        ("macros", None, ..) => Some(Target::Macros),
        ("bins", Some(name), None, _) => Some(Target::Bin(name)),
        ("connectors", Some("preview"), None, _) => Some(Target::Preview),
        ("connectors", Some(id), Some("test"), None) => Some(Target::Test(id)),
        ("connectors", Some(id), Some("approve"), None) => Some(Target::Approval(id)),
        ("inbox", Some("judge-again"), None, _) => Some(Target::Judgements),
        (name, None, ..) => managed(name).map(Target::All).or_else(|| past(name).map(Target::Past)),
        ("campaigns", Some(id), Some("postback-urls"), None) => Some(Target::PostbackUrls(id)),
        ("links", Some(id), Some("test-url"), None) => Some(Target::TestUrl(id)),
        ("inbox", Some(id), Some("judge"), None) => Some(Target::Judgement(id)),
        ("deliveries", Some("replay"), None, _) => Some(Target::Replays),
        ("deliveries", Some(id), Some("replay"), None) => Some(Target::Replay(id)),
        ("connectors", Some(id), Some("cancel"), None) => Some(Target::Cancelling(id)),
        ("connectors", Some(id), Some("secret"), None) => Some(Target::Secret(id)),
        ("connectors", Some(id), Some("rotate"), None) => Some(Target::Rotation(id)),
        ("conversions", Some("statuses"), None, _) => Some(Target::Statuses),
        ("conversions", Some(id), None, _) => Some(Target::Conversion(id)),
        ("conversions", Some(id), Some("changes"), None) => Some(Target::Changes(id)),
        (name, Some(key), None, _) => managed(name)
            .map(|r| Target::One(r, key))
            .or_else(|| past(name).map(|r| Target::PastOne(r, key))),
        _ => None,
    }
}

fn methods(target: Target<'_>) -> &'static [(Method, &'static str)] {
    const GET: (Method, &str) = (Method::Get, "GET");
    const POST: (Method, &str) = (Method::Post, "POST");
    const PATCH: (Method, &str) = (Method::Patch, "PATCH");
    const DELETE: (Method, &str) = (Method::Delete, "DELETE");
    match target {
        Target::All(_) => &[GET, POST],
        Target::One(resource, _) if !resource.is_changeable() => &[GET, DELETE],
        Target::One(resource, _) if resource.removal == Removal::Refused => &[GET, PATCH],
        Target::One(..) => &[GET, PATCH, DELETE],
        Target::Past(_)
        | Target::PastOne(..)
        | Target::PostbackUrls(_)
        | Target::Changes(_)
        | Target::Explanation
        | Target::Secret(_)
        | Target::Macros
        | Target::Bin(_) => &[GET],
        Target::Judgement(_)
        | Target::Judgements
        | Target::Statuses
        | Target::TestUrl(_)
        | Target::Replay(_)
        | Target::Replays
        | Target::Cancelling(_)
        | Target::Rotation(_)
        | Target::Preview
        | Target::Test(_)
        | Target::Approval(_) => &[POST],
        Target::Conversion(_) => &[GET, PATCH],
        Target::Persons => &[DELETE],
    }
}

/// Whether a call reads its query, which it then does whole; a parameter that it has not is refused
/// by name.
fn reads_query(target: Target<'_>, method: Method) -> bool {
    match target {
        Target::All(_) => method == Method::Get,
        Target::Past(_) | Target::Explanation | Target::Persons | Target::Approval(_) => true,
        _ => false,
    }
}

/// Whether a call reads its body. That of a GET means nothing in HTTP, so that nobody looks at it.
fn reads_body(target: Target<'_>, method: Method) -> bool {
    matches!(method, Method::Get | Method::Patch)
        || matches!(target, Target::All(_) | Target::Statuses | Target::Judgements)
        || matches!(target, Target::Replays | Target::Preview)
}

impl<S> Call<'_, S> {
    /// The rows that the caller may reach: its namespace's, or with the root key every namespace.
    fn place(&self, resource: &'static Resource) -> Place<'_> {
        let is_every = resource.name == NAMESPACES.name && self.access.is_root();
        Place { resource, namespace: self.access.namespace.as_ref().filter(|_| !is_every) }
    }
}

/// `POST /inbox/{id}/judge`: judges a refused request again, then shows its row. One that was not
/// refused is shown as it is, so that asking twice changes nothing.
async fn judge_again(call: &Call<'_, impl Stores>, request_id: &str) -> Result<Response, Response> {
    let unavailable = |_| problem::storage_unavailable();
    let namespace = call.access.namespace.as_ref().ok_or_else(problem::namespace_required)?;
    let entry = call.stores.inbox_entry(namespace, request_id).await.map_err(unavailable)?;
    let entry = entry.ok_or_else(|| problem::not_found("postback"))?;
    let outcome = judge::again(call.stores, call.memory, call.moment, namespace, &entry).await;
    let outcome = outcome.map_err(unavailable)?;
    if let Some(refusal) = outcome.as_ref().and_then(|outcome| outcome.refusal.as_ref())
        && refusal.reason == Reason::StorageUnavailable
    {
        return Err(problem::storage_unavailable());
    }
    if let Some(Errand::KeepAnswer(namespace, conversion)) =
        outcome.and_then(|outcome| outcome.errand)
    {
        call.stores.keep(&namespace, std::slice::from_ref(&conversion)).await;
    }
    past::show(call, &history::INBOX, request_id).await
}

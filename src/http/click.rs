//! `GET` and `HEAD /click`: a redirect that never waits for storing and never fails because of it.

use super::request::{self, Method, Request};
use super::response::Response;
use super::{Answer, App, Host, Isolate, Ports, development_namespace, host_of};
use crate::app::follow::{Arrival, Followed, Means, Missing, also_lacking, follow};
use crate::app::memory::{Lookup, Wanted};
use crate::app::settings::{Moment, Settings};
use crate::domain::namespace::Namespace;
use crate::domain::visit::Hints;

/// A click names at most five values that memory may lack: host, namespace, default link, link,
/// campaign. Where none leads to another they are loaded at once. One more round than that means
/// that memory cannot hold them.
const MAX_LOADS: usize = 6;

/// Answers a click, loading what memory does not know. If no store answers, nobody can say where
/// the visitor wanted to go: 503.
pub(super) async fn respond<P: Ports>(app: &App<'_, P>, request: &Request<'_>) -> Answer {
    let arrival = arrival(request);
    for _ in 0..MAX_LOADS {
        match from_memory(app.isolate, app.settings, &app.moment, request.host, &arrival) {
            Ok(followed) => return answer(followed),
            Err(Missing::Value(wanted)) => {
                let wanted = also_lacking(&app.isolate.memory, wanted, &arrival, app.moment.now);
                if app.ports.load(&wanted, app.moment.now).await.is_err() {
                    break;
                }
            }
            // A request that comes this way has it.
            Err(Missing::Origin) => break,
        }
    }
    unavailable().into()
}

/// Follows a click from memory alone: no promise, no crossing but the packed ones.
///
/// # Errors
/// What has to be loaded or handed over first.
pub fn from_memory(
    isolate: &Isolate,
    settings: &Settings,
    moment: &Moment<'_>,
    host: &str,
    arrival: &Arrival<'_>,
) -> Result<Followed, Missing> {
    let Some(namespace) = namespace(isolate, settings, moment, host)? else {
        return Ok(Followed::Nowhere);
    };
    let Isolate { memory, pages, spare, .. } = isolate;
    follow(&Means { memory, pages, spare, settings, moment }, &namespace, arrival)
}

fn arrival<'a>(request: &Request<'a>) -> Arrival<'a> {
    let headers = &request.headers;
    Arrival {
        query: request.query,
        user_agent: headers.user_agent,
        referer: headers.referer,
        cookie: headers.cookie,
        hints: Hints {
            purpose: headers.purpose,
            fetch_dest: headers.fetch_dest,
            gpc: request::is_gpc(headers.gpc),
        },
        country: request::country(headers.country),
        origin: Some(request::origin(headers.client_ip, headers.asn)),
        is_head: request.method == Method::Head,
    }
}

/// The response. The edge makes that of most redirects itself, with the same headers, from what
/// [`from_memory`] gives.
fn answer(followed: Followed) -> Answer {
    match followed {
        Followed::Nowhere => nowhere().into(),
        Followed::Redirect(redirect) => {
            let mut response = Response::empty(302).with("location", redirect.location());
            for cookie in redirect.cookies() {
                response = response.with("set-cookie", cookie);
            }
            Answer { response, duty: redirect.duty, errand: None }
        }
    }
}

fn namespace(
    isolate: &Isolate,
    settings: &Settings,
    moment: &Moment<'_>,
    host: &str,
) -> Result<Option<Namespace>, Wanted> {
    if let Some(namespace) = isolate.last_host.namespace(host) {
        return Ok(Some(namespace));
    }
    let host = match host_of(host) {
        Host::Names(namespace) => {
            isolate.last_host.remember(host, &namespace);
            return Ok(Some(namespace));
        }
        Host::MayBeCustom(host) => host,
        Host::Anonymous => return Ok(development_namespace(settings)),
    };
    match isolate.memory.host(&host, moment.now) {
        Lookup::Known(namespace) => Ok(Some((*namespace).clone())),
        Lookup::Absent => Ok(development_namespace(settings)),
        Lookup::Unread => Err(Wanted::Host(host)),
    }
}

fn nowhere() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
        <meta name=\"viewport\" content=\"width=device-width\"><title>Nothing here</title>\
        <body style=\"font-family:sans-serif;max-width:34em;margin:20vh auto;padding:0 1em\">\
        <h1>This link leads nowhere</h1>\
        <p>The offer has ended, or the address is incomplete. Please go back to the page you came from.</p>";
    Response::page(404, page)
}

fn unavailable() -> Response {
    let page = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>One moment</title>\
        <body style=\"font-family:sans-serif;max-width:34em;margin:20vh auto;padding:0 1em\">\
        <h1>One moment, please</h1><p>This link cannot be followed right now. Please try again.</p>";
    Response::page(503, page).with("retry-after", "5")
}

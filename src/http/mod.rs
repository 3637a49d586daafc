//! How it is asked: requests and responses as plain values, one route table, the only status codes.
//!
//! A handler reads the request, calls one function of `app/` and writes the response. Not here:
//! decisions, SQL, the platform's request and response types (`edge/` packs and unpacks those).

pub mod api;
pub mod click;
pub mod collect;
pub mod demo;
pub mod health;
mod last_host;
pub mod openapi;
pub mod pixel;
pub mod postback;
pub mod reply;
pub mod request;
pub mod response;

use std::future::Future;
use std::pin::Pin;

use crate::app::answers::Answers;
use crate::app::doubts::Doubts;
use crate::app::follow::Spare;
use crate::app::judge::Errand;
use crate::app::leases::Place;
use crate::app::memory::{Memory, Wanted};
use crate::app::outbox::SiteEvents;
use crate::app::pages::{Duty, Pages};
use crate::app::pixels::Pixels;
use crate::app::ports::{Configuration, Unavailable, Vitals};
use crate::app::rate::Rates;
use crate::app::refusals::Refusals;
use crate::app::settings::{Moment, Settings};
use crate::app::situate::recall;
use crate::app::touches::Touches;
use crate::app::wake::Wakes;
use crate::domain::namespace::{self, Namespace, bare_host};
use crate::domain::parameters::{looks_like_click, looks_like_postback};
use crate::domain::web_address::is_host_name;
pub use last_host::LastHost;
use request::{Method, Request};
use response::Response;

/// What an isolate keeps between requests: plain values only, no future of any request.
#[derive(Default)]
pub struct Isolate {
    /// Configuration.
    pub memory: std::rc::Rc<Memory>,
    /// The memory of the last redirect.
    pub spare: Spare,
    /// Where the last click came in.
    pub last_host: LastHost,
    /// Clicks waiting to be written.
    pub pages: Pages,
    /// Answers waiting to be copied.
    pub answers: Answers,
    /// Refusals waiting to be counted.
    pub refusals: Refusals,
    /// Conversions waiting to be examined.
    pub doubts: Doubts,
    /// How often visitors posted to `/collect`.
    pub rates: Rates,
    /// When the sender was woken.
    pub wakes: Wakes,
    /// Where the sender last looked.
    pub place: std::cell::RefCell<Place>,
    /// Where what is over was last looked for.
    pub swept: std::cell::RefCell<Place>,
}

/// Everything that a handler may use.
pub struct App<'a, P> {
    /// The world.
    pub ports: &'a P,
    /// What the isolate keeps.
    pub isolate: &'a Isolate,
    /// How the installation is set up.
    pub settings: &'a Settings,
    /// When the request arrived.
    pub moment: Moment<'a>,
}

/// What the ports must be able to do for all routes together.
pub trait Ports:
    crate::app::judge::Ports + SiteEvents + Touches + Pixels + Vitals + api::Stores
{
}
impl<T: crate::app::judge::Ports + SiteEvents + Touches + Pixels + Vitals + api::Stores> Ports
    for T
{
}

/// A response, and what its request has to do behind it.
#[derive(Debug)]
pub struct Answer {
    /// What is sent.
    pub response: Response,
    /// Clicks to write.
    pub duty: Duty,
    /// Something else to do.
    pub errand: Option<Errand>,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        Self { response, duty: Duty::default(), errand: None }
    }
}

/// The route table, grouped by who calls. No POST and no API address ever redirects: some clients
/// drop the body on the way.
pub async fn respond<P: Ports>(app: &App<'_, P>, request: &Request<'_>) -> Answer {
    use Method::{Get, Head, Options, Post};
    let is_read = matches!(request.method, Get | Head);
    let path = match request.path {
        // Visitors and advertisers' servers alike, in the manner of Integr8.
        "/" if request.method == Post => "/postback",
        "/" if is_read && looks_like_postback(request.query) => "/postback",
        "/" if is_read && looks_like_click(request.query) => "/click",
        path => path,
    };
    match (path, request.method) {
        // Visitors.
        ("/click", Get | Head) => apart(click::respond(app, request)).await,
        // Advertisers' servers. Looking at the headers of an address must not convert.
        ("/postback", Get | Post) => apart(postback::respond(app, request)).await,
        // Browsers.
        ("/pixel.gif", _) => apart(pixel::respond(app, request)).await,
        ("/tracker.js", Get | Head) => collect::script().into(),
        ("/collect", Post | Options) => apart(collect::respond(app, request)).await,
        // Operators.
        ("/health", Get | Head) => apart(health::respond(app)).await.into(),
        ("/openapi.json", Get | Head) => openapi::respond().into(),
        ("/demo-shop", Get | Head) if app.settings.is_development => {
            demo::respond(app.settings, request).into()
        }
        (path, _) if path.starts_with("/api/") => {
            let memory = &app.isolate.memory;
            apart(api::respond(app.ports, memory, app.settings, &app.moment, request)).await.into()
        }
        // An address that exists for another method.
        ("/click" | "/tracker.js" | "/health" | "/openapi.json", _) => {
            reply::method_not_allowed(&app.moment, "GET, HEAD").into()
        }
        ("/postback", _) => reply::method_not_allowed(&app.moment, "GET, POST").into(),
        ("/", _) if !is_read => reply::method_not_allowed(&app.moment, "GET, HEAD, POST").into(),
        ("/collect", _) => reply::method_not_allowed(&app.moment, "POST, OPTIONS").into(),
        _ => reply::not_found(&app.moment).into(),
    }
}

/// Makes a handler a function of its own. What is awaited in place becomes a part of the function that
/// awaits it, and the runtime compiles a function whole when it is first called: a new isolate's
/// first click would wait until the operators' API is compiled.
fn apart<'h, T>(handler: impl Future<Output = T> + 'h) -> Pin<Box<dyn Future<Output = T> + 'h>> {
    Box::pin(handler)
}

/// What a host says by itself.
pub(crate) enum Host {
    /// The label before `-tracking` names the namespace.
    Names(Namespace),
    /// It may be somebody's custom domain.
    MayBeCustom(String),
    /// It is an address, or no host name at all; there is nothing to look up.
    Anonymous,
}

pub(crate) fn host_of(host: &str) -> Host {
    let host = bare_host(host);
    match namespace::of_host(&host) {
        Some(namespace) => Host::Names(namespace),
        None if is_host_name(&host) => Host::MayBeCustom(host.into_owned()),
        None => Host::Anonymous,
    }
}

/// The namespace of a request: by the first label of its host, else by a custom host, else (in
/// development) `demo`.
pub(crate) async fn namespace_of<P: Configuration>(
    app: &App<'_, P>,
    request: &Request<'_>,
) -> Result<Option<Namespace>, Unavailable> {
    let host = match host_of(request.host) {
        Host::Names(namespace) => return Ok(Some(namespace)),
        Host::MayBeCustom(host) => host,
        Host::Anonymous => return Ok(development_namespace(app.settings)),
    };
    let now = app.moment.now;
    let look = || app.isolate.memory.host(&host, now);
    let found = match recall(app.ports, now, look, || Wanted::Host(host.clone())).await {
        Ok(found) => found,
        // Development goes on without its store; in production a custom host stays unknown.
        Err(Unavailable) if app.settings.is_development => None,
        Err(Unavailable) => return Err(Unavailable),
    };
    Ok(found.map(|namespace| (*namespace).clone()).or_else(|| development_namespace(app.settings)))
}

/// The namespace of hosts that name none, in development.
pub(crate) fn development_namespace(settings: &Settings) -> Option<Namespace> {
    if settings.is_development { Namespace::parse("demo") } else { None }
}

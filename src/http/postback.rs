//! `/postback`: what a server reports.

use super::reply;
use super::request::Request;
use super::{Answer, App, Ports, namespace_of};
use crate::app::judge::{Errand, Report, report, request_id, storage_unavailable};
use crate::app::ports::RefusedRequest;
use crate::app::situate::{space, unknown_namespace};
use crate::domain::conversion::Source;
use crate::domain::namespace::Namespace;
use crate::domain::network::IpAddress;
use crate::domain::parameters::{is_unreadable_type, parse_postback};
use crate::domain::postback::{Postback, ReplyFormat};
use crate::domain::signature::has_signature;
use crate::domain::verdict::{Refusal, Warning};

/// Answers a postback. Its size and its parameters come first, then its namespace.
pub(super) async fn respond<P: Ports>(app: &App<'_, P>, request: &Request<'_>) -> Answer {
    let parsed = read(app, request);
    let namespace = match namespace_of(app, request).await {
        Ok(namespace) => namespace,
        Err(_) => return reply::refused(&app.moment, storage_unavailable()).into(),
    };
    let (postback, warnings) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => {
            // Names that a stranger made up are not kept apart, or they would fill the tables.
            let existing = match &namespace {
                Some(name) => space(app.ports, &app.isolate.memory, name, app.moment.now).await,
                None => Ok(None),
            };
            let existing = existing.ok().flatten().map(|space| space.name.clone());
            return refused(app, existing, refusal, wanted_format(request));
        }
    };
    let format = postback.reply_format.unwrap_or(ReplyFormat::Json);
    let Some(namespace) = namespace else {
        return refused(app, None, unknown_namespace(), format);
    };
    let address = IpAddress::parse(request.headers.client_ip);
    let (signed, said) = (request.signed(), Default::default());
    let source = Source::Postback;
    let arrived = Report { namespace, source, postback, warnings, address, signed, said };
    let outcome = report(app.ports, &app.isolate.memory, &app.moment, &arrived).await;
    Answer { response: reply::response(&outcome), duty: Default::default(), errand: outcome.errand }
}

fn read<P>(app: &App<'_, P>, request: &Request<'_>) -> Result<(Postback, Vec<Warning>), Refusal> {
    let content_type = Some(request.headers.content_type).filter(|text| !text.is_empty());
    // What no signature covers does not decide how signed bytes are read.
    let content_type =
        content_type.filter(|text| !has_signature(&request.signed()) || is_unreadable_type(text));
    let (parameters, warnings) = parse_postback(Some(request.query), content_type, request.body)?;
    Ok((Postback::read(&parameters, app.moment.now)?, warnings))
}

/// The format that a request names, although it could not be read as a whole.
fn wanted_format(request: &Request<'_>) -> ReplyFormat {
    let word = request.query_value("response");
    word.and_then(|word| ReplyFormat::from_word(&word)).unwrap_or(ReplyFormat::Json)
}

/// A refusal before authentication is counted, without anything that it brought.
fn refused<P>(
    app: &App<'_, P>,
    namespace: Option<Namespace>,
    refusal: Refusal,
    format: ReplyFormat,
) -> Answer {
    let errand = Errand::CountRefusal(Box::new(RefusedRequest {
        namespace,
        campaign_id: None,
        received_at: app.moment.now,
        reason: refusal.reason,
        detail: refusal.detail.clone(),
        parameters: String::new(),
        slot: (app.moment.random)().first().map_or(0, |byte| byte % 100),
    }));
    let outcome = crate::app::judge::Outcome::refused(request_id(&app.moment), refusal, format);
    Answer { response: reply::response(&outcome), duty: Default::default(), errand: Some(errand) }
}

//! `/pixel.gif`: what an image on the advertiser's page reports. Always 200 and a pixel, because
//! a page must not show a broken image; the verdict stands in a header.

use super::reply;
use super::request::{Method, Request};
use super::{Answer, App, Ports, namespace_of};
use crate::app::judge::{Report, report};
use crate::domain::conversion::Source;
use crate::domain::cookie;
use crate::domain::network::IpAddress;
use crate::domain::parameters::parse_postback;
use crate::domain::postback::Postback;

const VERDICT: &str = "x-backtrail-verdict";

/// Answers an image.
pub(super) async fn respond<P: Ports>(app: &App<'_, P>, request: &Request<'_>) -> Answer {
    if request.method != Method::Get {
        // Looking at the headers of an image must not convert.
        return reply::gif(200).with(VERDICT, "rejected method_not_allowed").into();
    }
    let rejected =
        |reason: &str| Answer::from(reply::gif(200).with(VERDICT, format!("rejected {reason}")));
    let parsed =
        parse_postback(Some(request.query), None, b"").and_then(|(parameters, warnings)| {
            Ok((Postback::read(&parameters, app.moment.now)?, warnings))
        });
    let (mut postback, warnings) = match parsed {
        Ok(parsed) => parsed,
        Err(refusal) => return rejected(refusal.reason.as_str()),
    };
    let namespace = match namespace_of(app, request).await {
        Ok(Some(namespace)) => namespace,
        Ok(None) => return rejected("unknown_namespace"),
        Err(_) => return rejected("storage_unavailable"),
    };
    if postback.click_id.is_none() {
        postback.click_id = cookie_click_id(request.headers.cookie, postback.campaign_id);
        if let Some(click_id) = &postback.click_id {
            // The inbox keeps what was judged, also where it came in a cookie.
            postback.stored.push(("click_id".to_owned(), click_id.clone()));
        }
    }
    let address = IpAddress::parse(request.headers.client_ip);
    let (signed, said) = (Default::default(), Default::default());
    let arrived =
        Report { namespace, source: Source::Pixel, postback, warnings, address, signed, said };
    let outcome = report(app.ports, &app.isolate.memory, &app.moment, &arrived).await;
    let response = reply::gif(200).with(VERDICT, reply::line(&outcome));
    Answer { response, duty: Default::default(), errand: outcome.errand }
}

/// The click_id that the visitor's cookies hold: the campaign's own, else the newest.
fn cookie_click_id(header: &str, campaign_id: Option<u32>) -> Option<String> {
    let of = |campaign: Option<u32>| {
        cookie::click_cookies(header)
            .find(|c| c.campaign == campaign)
            .map(|c| c.click_id.to_owned())
    };
    campaign_id.and_then(|id| of(Some(id))).or_else(|| of(None))
}

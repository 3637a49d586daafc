//! What a postback is answered, and the one match from reasons to status codes (wire.md 6).

use serde::Serialize;

use super::response::{Body, Response};
use crate::app::judge::{Outcome, request_id};
use crate::app::settings::Moment;
use crate::domain::conversion::{Conversion, INITIAL};
use crate::domain::postback::ReplyFormat;
use crate::domain::verdict::{Reason, Refusal, Verdict, Warning};

/// Seconds after which a sender should try again.
const RETRY_AFTER_SECONDS: &str = "5";

/// A transparent GIF of one pixel: the header, a screen of 1×1 with two colours, the control
/// extension that makes colour 0 transparent, one image of one code, the trailer (GIF89a).
pub(crate) const PIXEL: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff\
    !\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

/// The status code of a reason.
pub fn status_of(reason: Reason) -> u16 {
    match reason {
        Reason::MissingParameter
        | Reason::InvalidParameter
        | Reason::PlaceholderNotReplaced
        | Reason::UnmappedStatus => 400,
        Reason::BadToken | Reason::BadSignature | Reason::StaleTimestamp => 401,
        Reason::IpNotAllowed => 403,
        Reason::UnknownNamespace
        | Reason::UnknownCampaign
        | Reason::UnknownEvent
        | Reason::UnknownClick
        | Reason::UnknownCoupon
        | Reason::UnknownOrder
        | Reason::NotFound => 404,
        Reason::MethodNotAllowed => 405,
        Reason::Conflict
        | Reason::CampaignMismatch
        | Reason::EventMismatch
        | Reason::InvalidTransition
        | Reason::RefundTooLarge => 409,
        Reason::ExpiredClick => 410,
        Reason::TooLarge => 413,
        Reason::UnsupportedMediaType => 415,
        Reason::NoAttribution
        | Reason::NoConversionForEvent
        | Reason::RepeatedConversion
        | Reason::RepeatedEvent
        | Reason::ExpiredCoupon
        | Reason::CampaignArchived
        | Reason::Capped
        | Reason::NoExchangeRate => 422,
        Reason::RateLimited => 429,
        Reason::StorageUnavailable => 503,
    }
}

#[derive(Serialize)]
struct MoneyBody {
    amount: String,
    currency: String,
}

#[derive(Serialize)]
struct WarningBody<'a> {
    code: &'a str,
    parameter: Option<&'a str>,
    message: &'a str,
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: u32,
    name: Option<&'a str>,
}

/// The event of the conversion as it was called when that was recorded, else what was reported.
fn event(outcome: &Outcome) -> Option<EventBody<'_>> {
    match &outcome.conversion {
        Some(c) if c.event_id == INITIAL => None,
        Some(c) => Some(EventBody { id: c.event_id, name: c.event_name.as_deref() }),
        None => outcome.event.as_ref().map(|(id, name)| EventBody { id: *id, name: Some(name) }),
    }
}

/// The body; its fields in the order in which they are written.
#[derive(Serialize)]
struct ReplyBody<'a> {
    verdict: &'static str,
    reason: Option<&'static str>,
    conversion_id: Option<&'a str>,
    click_id: Option<&'a str>,
    campaign_id: Option<u32>,
    affiliate_id: Option<u32>,
    event: Option<EventBody<'a>>,
    status: Option<&'static str>,
    revenue: Option<MoneyBody>,
    payout: Option<MoneyBody>,
    warnings: Vec<WarningBody<'a>>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_test: Option<bool>,
}

/// The body of an outcome as JSON. A repeat is answered with the first reply's status, money and
/// warnings; senders who may not see money get `null` in its place.
pub fn json_of(outcome: &Outcome) -> String {
    let conversion = outcome.conversion.as_ref();
    let shown = conversion.filter(|_| outcome.sees_money);
    let is_change = outcome.verdict == Verdict::Updated;
    let money = |first: fn(&Conversion) -> i64, now: fn(&Conversion) -> i64| {
        shown.map(|c| MoneyBody {
            amount: c.currency.format(if is_change { now(c) } else { first(c) }),
            currency: c.currency.code().to_owned(),
        })
    };
    let body = ReplyBody {
        verdict: outcome.verdict.as_str(),
        reason: outcome.refusal.as_ref().map(|refusal| refusal.reason.as_str()),
        conversion_id: conversion.map(|c| c.conversion_id.as_str()),
        click_id: conversion.map_or(outcome.click_id.as_deref(), |c| c.click_id.as_deref()),
        campaign_id: conversion.map(|c| c.campaign_id).or(outcome.campaign_id),
        affiliate_id: shown.map(|c| c.affiliate_id),
        event: event(outcome),
        status: conversion.map(|c| if is_change { c.status } else { c.first_status }.as_str()),
        revenue: money(|c| c.first_revenue, |c| c.revenue),
        payout: money(|c| c.first_payout, |c| c.payout),
        warnings: conversion.map(|c| c.warnings.iter().map(warning).collect()).unwrap_or_default(),
        request_id: &outcome.request_id,
        parameter: outcome.refusal.as_ref().map(|refusal| refusal.parameter.as_deref()),
        detail: outcome.refusal.as_ref().map(|refusal| refusal.detail.as_str()),
        current_status: outcome.current_status.map(|status| status.as_str()),
        dry_run: outcome.is_dry_run.then_some(true),
        is_test: conversion.and_then(|c| c.is_test.then_some(true)),
    };
    // Serialising a struct of texts and numbers cannot fail.
    serde_json::to_string(&body).unwrap_or_default()
}

fn warning(warning: &Warning) -> WarningBody<'_> {
    WarningBody {
        code: warning.code.as_str(),
        parameter: warning.parameter.as_deref(),
        message: &warning.message,
    }
}

/// The response of an outcome, in the format that its sender wants.
pub(crate) fn response(outcome: &Outcome) -> Response {
    let reason = outcome.refusal.as_ref().map(|refusal| refusal.reason);
    let status = reason.map_or(200, status_of);
    let response = match outcome.format {
        ReplyFormat::Json => Response::text(status, "application/json", json_of(outcome)),
        ReplyFormat::Text => {
            Response::text(status, "text/plain; charset=utf-8", format!("{}\n", line(outcome)))
        }
        ReplyFormat::Gif => gif(status),
    };
    with_retry_after(response, reason)
}

/// The response, saying when to come again where that helps.
pub(crate) fn with_retry_after(response: Response, reason: Option<Reason>) -> Response {
    match reason {
        Some(Reason::StorageUnavailable | Reason::RateLimited) => {
            response.with("retry-after", RETRY_AFTER_SECONDS)
        }
        _ => response,
    }
}

/// Verdict and reason in a line.
pub(crate) fn line(outcome: &Outcome) -> String {
    match &outcome.refusal {
        None => outcome.verdict.as_str().to_owned(),
        Some(refusal) => format!("{} {}", outcome.verdict.as_str(), refusal.reason.as_str()),
    }
}

/// The pixel under a status code.
pub(crate) fn gif(status: u16) -> Response {
    Response { body: Body::Bytes(PIXEL), ..Response::empty(status) }
        .with("content-type", "image/gif")
}

/// The response of a request that was refused before anything was judged.
pub(crate) fn refused(moment: &Moment<'_>, refusal: Refusal) -> Response {
    response(&Outcome::refused(request_id(moment), refusal, ReplyFormat::Json))
}

/// No such address.
pub(crate) fn not_found(moment: &Moment<'_>) -> Response {
    let detail = "there is nothing at this address; clicks go to /click, postbacks to /postback";
    refused(moment, Refusal::new(Reason::NotFound, detail))
}

/// The address exists, but not for this method.
pub(crate) fn method_not_allowed(moment: &Moment<'_>, allowed: &'static str) -> Response {
    let detail = format!("this address takes {allowed}");
    refused(moment, Refusal::new(Reason::MethodNotAllowed, detail)).with("allow", allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_the_status_of_the_contract() {
        let table = "400 missing_parameter invalid_parameter placeholder_not_replaced unmapped_status
            401 bad_token bad_signature stale_timestamp
            403 ip_not_allowed
            404 unknown_namespace unknown_campaign unknown_event unknown_click unknown_coupon unknown_order not_found
            405 method_not_allowed
            413 too_large
            415 unsupported_media_type
            409 conflict campaign_mismatch event_mismatch invalid_transition refund_too_large
            410 expired_click
            422 no_attribution no_conversion_for_event repeated_conversion repeated_event expired_coupon campaign_archived capped no_exchange_rate
            429 rate_limited
            503 storage_unavailable";
        let mut seen = 0;
        for line in table.lines() {
            let mut words = line.split_whitespace();
            let status: u16 = words.next().unwrap().parse().unwrap();
            for word in words {
                assert_eq!(status_of(Reason::from_word(word).unwrap()), status, "{word}");
                seen += 1;
            }
        }
        assert_eq!(seen, Reason::ALL.len(), "a reason is missing in the table");
    }

    #[test]
    fn the_pixel_is_a_gif_of_one_pixel() {
        assert_eq!(PIXEL.len(), 43);
        assert!(PIXEL.starts_with(b"GIF89a\x01\x00\x01\x00") && PIXEL.ends_with(b";"));
    }
}

//! The demo's shop, in development only: a landing page that shows its click_id and a button that
//! reports a sale, as a shop's server would.

use super::request::Request;
use super::response::Response;
use crate::app::settings::Settings;
use crate::domain::click_id::has_shape;

/// The landing page.
pub(super) fn respond(settings: &Settings, request: &Request<'_>) -> Response {
    // Only what has the shape of an id gets into the page: letters, digits, `-` and `_`.
    let click_id = request.query_value("click_id").filter(|id| has_shape(id)).unwrap_or_default();
    // The token is derived from a secret by `make dev`: hexadecimal digits and letters.
    let token = settings.demo_token.as_deref().unwrap_or_default();
    let is_plain =
        |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let token = if is_plain(token) { token } else { "" };
    let page = include_str!("demo_shop.html")
        .replace("{{CLICK_ID}}", &click_id)
        .replace("{{TOKEN}}", token);
    Response::page(200, page)
}

//! Pixels: each waits until its visitor's browser reports something, and is handed out once.

use std::future::Future;

use super::leases::{ClickDetail, ClickDetails};
use super::ports::Unavailable;
use super::settings::Moment;
use super::touches::Known;
use crate::domain::configuration::Tracking;
use crate::domain::connector::macros::Origin;
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::text::Mentions;
use crate::domain::delivery::State;
use crate::domain::delivery::Values;
use crate::domain::delivery::pixel::{Fate, Visit, WaitingPixel, fate};
use crate::domain::namespace::Namespace;
use crate::domain::time::{MINUTE_MS, Timestamp};

/// A pixel for the browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// The delivery's name.
    pub delivery_id: String,
    /// What the page shall run.
    pub html: String,
    /// Whether in a frame of its own, without access to the page.
    pub is_sandboxed: bool,
}

/// The end of a pixel that waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The delivery's name.
    pub delivery_id: String,
    /// What became of it.
    pub state: State,
    /// Its code as the log shows it.
    pub shown: Option<String>,
    /// Why it could not be handed out, if its macros are the reason.
    pub error: Option<String>,
}

/// Where pixels wait.
pub trait Pixels {
    /// Pixels that wait for a visitor, the oldest first, at most 20: of events that this browser
    /// reported, and of clicks that no other brought before. Those of connectors that are disabled,
    /// or have it switched off, go on waiting. Also what is known of the visitor; one round trip.
    fn waiting_pixels(
        &self,
        namespace: &Namespace,
        visitor: &str,
        now: Timestamp,
    ) -> impl Future<Output = Result<(Vec<WaitingPixel>, Known), Unavailable>>;

    /// Ends pixels that still wait, with a line in the log for each that has something to show.
    /// Those that it ended: of several who try, one ends each.
    fn end_pixels(
        &self,
        namespace: &Namespace,
        ended: &[Ended],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<String>, Unavailable>>;

    /// What the rows of some clicks say, by the keys of macros; those that are not there (yet) are
    /// left out, and those of which that is not known are named.
    fn details_of_clicks(
        &self,
        namespace: &Namespace,
        click_ids: &[String],
    ) -> impl Future<Output = Result<ClickDetails, Unavailable>>;
}

/// For so long a pixel waits for the row of its click.
const CLICK_WAIT_MS: u64 = 2 * MINUTE_MS;

/// Hands out what waits for a visitor. Each goes out at most once: it is written down before it is
/// answered, so that one whose answer is lost is lost with it.
///
/// # Errors
/// If the ledger does not answer; what waits goes on waiting.
pub async fn hand_out(
    ports: &impl Pixels,
    moment: &Moment<'_>,
    namespace: &Namespace,
    tracking: &Tracking,
    visitor: &str,
) -> Result<Vec<Fired>, Unavailable> {
    let now = moment.now;
    let (waiting, known) = ports.waiting_pixels(namespace, visitor, now).await?;
    let mut parsed: Vec<(WaitingPixel, Pixel)> = waiting
        .into_iter()
        // One that this version cannot read was not approved by anybody who could.
        .filter_map(|waiting| Some((Pixel::parse(&waiting.pixel).ok()?, waiting)))
        .map(|(pixel, waiting)| (waiting, pixel))
        .collect();
    let wants_click = |pixel: &Pixel| pixel.mentions_any(Origin::Click);
    let clicks: Vec<String> = parsed
        .iter()
        .filter(|(_, pixel)| wants_click(pixel))
        .filter_map(|(waiting, _)| waiting.click_id.clone())
        .collect();
    let details = match clicks.is_empty() {
        true => ClickDetails::default(),
        false => ports.details_of_clicks(namespace, &clicks).await?,
    };
    let detail = |waiting: &WaitingPixel| {
        let of_click = |detail: &&ClickDetail| Some(&detail.click_id) == waiting.click_id.as_ref();
        details.found.iter().find(of_click).map(|detail| &detail.values)
    };
    // That a click could not be read does not mean that it is not there.
    let is_unread = |waiting: &WaitingPixel| {
        details.unread.iter().any(|(_, id)| Some(id) == waiting.click_id.as_ref())
    };
    parsed.retain(|(waiting, pixel)| {
        let is_young = now.ms_since(waiting.created_at) < CLICK_WAIT_MS;
        let may_appear = is_young || is_unread(waiting);
        let is_awaited = may_appear && waiting.click_id.is_some() && wants_click(pixel);
        !is_awaited || detail(waiting).is_some()
    });
    let visit =
        Visit { all: &tracking.matchings, touches: &known.touches, contact: &known.contact };
    let nothing = Values::new();
    let (mut fired, mut ended) = (Vec::new(), Vec::new());
    for (waiting, pixel) in &parsed {
        let random = (moment.random)().first_chunk::<4>().map_or(0, |b| u32::from_be_bytes(*b));
        let click = detail(waiting).unwrap_or(&nothing);
        let delivery_id = waiting.delivery_id.clone();
        let (state, shown, error) = match fate(waiting, pixel, &visit, click, random) {
            Fate::Ends { state, shown, error } => (state, shown, error),
            Fate::Fires { html, is_sandboxed, shown } => {
                fired.push(Fired { delivery_id: delivery_id.clone(), html, is_sandboxed });
                (State::Delivered, Some(shown), None)
            }
        };
        ended.push(Ended { delivery_id, state, shown, error });
    }
    if ended.is_empty() {
        return Ok(fired);
    }
    let ours = ports.end_pixels(namespace, &ended, now).await?;
    fired.retain(|pixel| ours.contains(&pixel.delivery_id));
    Ok(fired)
}

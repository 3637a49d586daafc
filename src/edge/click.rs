//! A click's way through WebAssembly: from the tray through memory back onto the tray, with no promise
//! and nothing else that crosses.

use wasm_bindgen::prelude::*;

use super::tray::Handed;
use super::{EDGE, duties, moment, timestamp};
use crate::app::follow::{Arrival, Followed, Missing};
use crate::domain::encoding;
use crate::domain::visit::Hints;
use crate::http::{click as http_click, request};

/// The tray on which clicks are handed over, as JavaScript sees it.
#[wasm_bindgen]
pub fn tray() -> Option<js_sys::Uint8Array> {
    EDGE.with(|edge| edge.tray.view())
}

/// What [`click`] answers if the visitor's network has to be packed as well.
const LACKS_NETWORK: i32 = 0;
/// What it answers if something has to be loaded first, or the answer is a page.
const ELSEWHERE: i32 = -1;
/// What it answers if the redirect does not fit onto the tray; [`long_redirect`] has it.
const LONG: i32 = -2;

/// Where a visitor's click leads, synchronously from memory. On the tray lie, one behind the other,
/// the URL, the user agent, the referrer, the cookies and the rest, which is a line for each thing that
/// `read` takes from it; the last five numbers say how long they are in bytes, `path` where in the URL
/// the path begins, which is `/click`. Answers how long the packed redirect is that lies there instead;
/// else `LACKS_NETWORK`, `ELSEWHERE` or `LONG`.
// Numbers cross as they are; a struct of them would be an object.
#[allow(clippy::too_many_arguments)]
#[wasm_bindgen]
pub fn click(
    now_ms: f64,
    is_head: bool,
    path: usize,
    url: usize,
    user_agent: usize,
    referer: usize,
    cookie: usize,
    rest: usize,
) -> i32 {
    EDGE.with(|edge| {
        let isolate = &edge.isolate;
        let followed = edge.tray.read(url + user_agent + referer + cookie + rest, |packed| {
            let (host, arrival) = read(packed, is_head, path, [url, user_agent, referer, cookie])?;
            let moment = moment(timestamp(now_ms));
            let settings = edge.settings.get()?;
            Some(http_click::from_memory(isolate, settings, &moment, host, &arrival))
        });
        match followed {
            Some(Ok(Followed::Redirect(redirect))) => {
                let duties = duties(redirect.duty, isolate);
                let lines = redirect.into_lines();
                let handed = edge.tray.write(&duties, &lines);
                isolate.spare.keep(lines);
                match handed {
                    Handed::Bytes(length) => length,
                    Handed::Long => LONG,
                }
            }
            Some(Err(Missing::Origin)) => LACKS_NETWORK,
            None | Some(Ok(Followed::Nowhere) | Err(Missing::Value(_))) => ELSEWHERE,
        }
    })
}

/// The packed redirect of the click before, which did not fit onto the tray.
#[wasm_bindgen(js_name = longRedirect)]
pub fn long_redirect() -> String {
    EDGE.with(|edge| edge.tray.take_long())
}

/// Reads a packed click: its host and the rest. What may be long is told apart by its length, so that
/// nobody looks for its end.
fn read(
    packed: &str,
    is_head: bool,
    path: usize,
    lengths: [usize; 4],
) -> Option<(&str, Arrival<'_>)> {
    let mut rest = packed;
    let mut take = |length: usize| {
        let (taken, behind) = rest.split_at_checked(length)?;
        rest = behind;
        Some(taken)
    };
    let [url, user_agent, referer, cookie] = lengths;
    let (before_path, path) = take(url)?.split_at_checked(path)?;
    let (user_agent, referer, cookie) = (take(user_agent)?, take(referer)?, take(cookie)?);
    let mut lines = encoding::pieces(rest, b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (purpose, fetch_dest, gpc, country) = (next(), next(), next(), next());
    // It is `/click`, with or without a query.
    let query = path.get("/click?".len()..).unwrap_or_default();
    let arrival = Arrival {
        // A fragment is never sent; one that arrives all the same is no part of the query.
        query: encoding::cut(query, b'#').map_or(query, |(before, _)| before),
        user_agent,
        referer,
        cookie,
        hints: Hints { purpose, fetch_dest, gpc: request::is_gpc(gpc) },
        country: request::country(country),
        origin: lines.next().map(|ip| request::origin(ip, lines.next().unwrap_or_default())),
        is_head,
    };
    // In the memory of a fresh instance, of which `tray.js` has no view yet, stand zeros instead.
    let host = before_path.strip_prefix("https://").or_else(|| before_path.strip_prefix("http://"));
    Some((host?, arrival))
}

//! What a click's headers say about the visit: whether a person made it, and on what.
//!
//! Names, not patterns: a regular-expression engine would be larger than the rest of the module
//! and slower than the redirect.
//! Not here: what follows from it for cookies, ids and money.

use super::verdict::words;

mod automata;
mod description;
#[cfg(test)]
mod tests;

/// How much of a user agent is read, in bytes; what tells a program stands in its beginning.
const MAX_READ_BYTES: usize = 1024;

/// The headers of a click that say something about the visit. Absent ones are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `Sec-Purpose`, `Purpose` or `X-Moz`, whichever is present.
    pub purpose: &'a str,
    /// `Sec-Fetch-Dest`.
    pub fetch_dest: &'a str,
    /// `Sec-GPC` is `1`.
    pub gpc: bool,
}

words! {
    /// Why a click is stored as not counted.
    Uncounted {
        /// The browser fetched the address in advance.
        Prefetch = "prefetch",
        /// A messenger or network looked at the address to show a preview.
        Preview = "preview",
        /// A crawler or monitor that says so.
        Bot = "bot",
        /// A programming library, a command-line tool or a browser without a window.
        Tool = "tool",
        /// There is no user agent.
        NoUserAgent = "no_user_agent",
        /// An operator tried the link out.
        Test = "test",
    }
}

words! {
    /// A kind of device.
    Device {
        /// A computer.
        Desktop = "desktop",
        /// A telephone.
        Mobile = "mobile",
        /// A tablet.
        Tablet = "tablet",
        /// A television or a box beside one.
        Tv = "tv",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// An operating system.
    Os {
        /// Windows.
        Windows = "windows",
        /// macOS; iPads say so as well.
        MacOs = "macos",
        /// iOS and iPadOS.
        Ios = "ios",
        /// Android.
        Android = "android",
        /// ChromeOS.
        ChromeOs = "chromeos",
        /// Another Linux.
        Linux = "linux",
        /// Something else.
        Other = "other",
    }
}

words! {
    /// A browser, or the app within which a page is shown.
    Browser {
        /// Chrome and Chromium.
        Chrome = "chrome",
        /// Safari.
        Safari = "safari",
        /// Firefox.
        Firefox = "firefox",
        /// Edge.
        Edge = "edge",
        /// Opera.
        Opera = "opera",
        /// Samsung Internet.
        Samsung = "samsung",
        /// Yandex.
        Yandex = "yandex",
        /// UC Browser.
        Uc = "uc",
        /// Internet Explorer.
        InternetExplorer = "internet_explorer",
        /// Within Facebook's apps.
        Facebook = "facebook",
        /// Within Instagram.
        Instagram = "instagram",
        /// Within TikTok.
        TikTok = "tiktok",
        /// Within Snapchat.
        Snapchat = "snapchat",
        /// Within Pinterest.
        Pinterest = "pinterest",
        /// Within Line.
        Line = "line",
        /// Within WeChat.
        WeChat = "wechat",
        /// Within another Android app.
        WebView = "webview",
        /// Something else.
        Other = "other",
    }
}

/// What a click's headers say about the visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Why the click is not counted; nothing if it is.
    pub uncounted: Option<Uncounted>,
    /// Loaded as an image, frame or object of another page.
    pub is_embedded: bool,
    /// A crawler that says so. A tool or an absent user agent is not counted either, but it may
    /// be an affiliate's own server that follows the link for a visitor, so what it converts is
    /// not held.
    pub is_suspected_bot: bool,
    /// The kind of device.
    pub device: Device,
    /// The operating system.
    pub os: Os,
    /// The browser.
    pub browser: Browser,
    /// The visitor asks not to be shared or sold (`Sec-GPC`).
    pub has_gpc: bool,
}

impl Visit {
    /// Whether an operator tries the link out.
    pub fn is_test(&self) -> bool {
        self.uncounted == Some(Uncounted::Test)
    }
}

/// What a user agent says; the part of a visit that takes some time to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    automaton: Option<Uncounted>,
    device: Device,
    os: Os,
    browser: Browser,
}

impl Agent {
    /// Reads the value of `User-Agent`.
    pub fn of(user_agent: &str) -> Self {
        let user_agent = beginning(user_agent.trim_ascii());
        let automaton = automata::recognise(user_agent);
        let (device, os, browser) = description::describe(user_agent);
        Self { automaton, device, os, browser }
    }
}

/// Reads a visit from its headers, of which the user agent has been read.
pub fn read(agent: Agent, hints: &Hints<'_>) -> Visit {
    Visit {
        uncounted: purpose_of(hints.purpose).or(agent.automaton),
        is_embedded: is_embedding(hints.fetch_dest),
        is_suspected_bot: agent.automaton == Some(Uncounted::Bot),
        device: agent.device,
        os: agent.os,
        browser: agent.browser,
        has_gpc: hints.gpc,
    }
}

/// The first bytes of a text, cut between characters.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_READ_BYTES)).unwrap_or(text)
}

/// Whether the browser fetches in advance (`prefetch;prerender`) or for a thumbnail.
fn purpose_of(purpose: &str) -> Option<Uncounted> {
    // Nearly always.
    if purpose.is_empty() {
        return None;
    }
    purpose.split([';', ',', ' ']).find_map(|token| {
        if token.eq_ignore_ascii_case("prefetch") || token.eq_ignore_ascii_case("prerender") {
            Some(Uncounted::Prefetch)
        } else if token.eq_ignore_ascii_case("preview") {
            Some(Uncounted::Preview)
        } else {
            None
        }
    })
}

/// Whether the answer becomes a part of another page rather than a page.
fn is_embedding(fetch_dest: &str) -> bool {
    let fetch_dest = fetch_dest.trim_ascii();
    ["image", "iframe", "frame", "embed", "object", "fencedframe"]
        .iter()
        .any(|dest| fetch_dest.eq_ignore_ascii_case(dest))
}

//! What a click's headers say about the visit: whether a person made it, and on what.
//!
//! Names, not patterns: a regular-expression engine would be larger than the rest of the module
//! and slower than the redirect.
//! Not here: what follows from it for cookies, ids and money.

use super::verdict::words;

mod automata;
#[cfg(test)]
mod tests;

/// How much of a user agent is read, in bytes; what tells a program stands in its beginning.
const MAX_READ_BYTES: usize = 1024;

/// The headers of a click that say something about the visit. Absent ones are empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints<'a> {
    /// `User-Agent`.
    pub user_agent: &'a str,
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
        /// A crawler, monitor or automated browser that says so.
        Bot = "bot",
        /// A programming library or command-line tool.
        Tool = "tool",
        /// There is no user agent.
        NoUserAgent = "no_user_agent",
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
    /// The user agent is a program's, or absent.
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

/// Reads a visit from its headers.
pub fn read(hints: &Hints<'_>) -> Visit {
    let user_agent = beginning(hints.user_agent.trim_ascii());
    let automaton = automata::recognise(user_agent);
    let os = os_of(user_agent);
    Visit {
        uncounted: purpose_of(hints.purpose).or(automaton),
        is_embedded: is_embedding(hints.fetch_dest),
        is_suspected_bot: matches!(
            automaton,
            Some(Uncounted::Bot | Uncounted::Tool | Uncounted::NoUserAgent)
        ),
        device: device_of(user_agent, os),
        os,
        browser: browser_of(user_agent),
        has_gpc: hints.gpc,
    }
}

/// The first bytes of a text, cut between characters.
fn beginning(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_READ_BYTES)).unwrap_or(text)
}

/// Whether the browser fetches in advance (`prefetch;prerender`) or for a thumbnail.
fn purpose_of(purpose: &str) -> Option<Uncounted> {
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
    ["image", "iframe", "frame", "embed", "object", "fencedframe"]
        .iter()
        .any(|dest| fetch_dest.trim_ascii().eq_ignore_ascii_case(dest))
}

/// The operating system; what names several is listed under the most special one.
fn os_of(user_agent: &str) -> Os {
    const NAMES: &[(&str, Os)] = &[
        ("Windows", Os::Windows),
        ("Android", Os::Android),
        ("iPhone", Os::Ios),
        ("iPad", Os::Ios),
        ("iPod", Os::Ios),
        ("CrOS", Os::ChromeOs),
        ("Macintosh", Os::MacOs),
        ("Mac OS X", Os::MacOs),
        ("Linux", Os::Linux),
        ("X11", Os::Linux),
    ];
    first_named(user_agent, NAMES).unwrap_or(Os::Other)
}

/// The kind of device, from the user agent and what it says of the system.
fn device_of(user_agent: &str, os: Os) -> Device {
    const TELEVISIONS: &[&str] = &[
        "SmartTV",
        "SMART-TV",
        "Smart-TV",
        "AppleTV",
        "GoogleTV",
        "Android TV",
        "BRAVIA",
        "AFT",
        "HbbTV",
        "Web0S",
        "CrKey",
        "Roku",
        "NetCast",
    ];
    let says = |word: &str| user_agent.contains(word);
    if TELEVISIONS.iter().any(|word| says(word)) {
        return Device::Tv;
    }
    match os {
        _ if says("iPad") || says("Tablet") || says("PlayBook") || says("Kindle") => Device::Tablet,
        Os::Ios => Device::Mobile,
        Os::Android if says("Mobile") => Device::Mobile,
        Os::Android => Device::Tablet,
        _ if says("Mobile") || says("Phone") || says("Opera Mini") => Device::Mobile,
        Os::Windows | Os::MacOs | Os::ChromeOs | Os::Linux => Device::Desktop,
        Os::Other => Device::Other,
    }
}

/// The browser. Most claim to be others as well, so the order is from the special to the general.
fn browser_of(user_agent: &str) -> Browser {
    const NAMES: &[(&str, Browser)] = &[
        ("Instagram", Browser::Instagram),
        ("FBAN/", Browser::Facebook),
        ("FBAV/", Browser::Facebook),
        ("FB_IAB", Browser::Facebook),
        ("musical_ly", Browser::TikTok),
        ("BytedanceWebview", Browser::TikTok),
        ("Snapchat", Browser::Snapchat),
        ("Pinterest/", Browser::Pinterest),
        (" Line/", Browser::Line),
        ("MicroMessenger", Browser::WeChat),
        ("Edg", Browser::Edge),
        ("OPR/", Browser::Opera),
        ("OPT/", Browser::Opera),
        ("OPiOS", Browser::Opera),
        ("Opera", Browser::Opera),
        ("YaBrowser", Browser::Yandex),
        ("SamsungBrowser", Browser::Samsung),
        ("UCBrowser", Browser::Uc),
        ("UCWEB", Browser::Uc),
        ("Firefox/", Browser::Firefox),
        ("FxiOS/", Browser::Firefox),
        ("CriOS/", Browser::Chrome),
        ("; wv)", Browser::WebView),
        ("Chrome/", Browser::Chrome),
        ("Chromium/", Browser::Chrome),
        ("Trident/", Browser::InternetExplorer),
        ("MSIE ", Browser::InternetExplorer),
        ("Safari/", Browser::Safari),
    ];
    first_named(user_agent, NAMES).unwrap_or(Browser::Other)
}

/// What the first name in the list means that occurs in the text.
fn first_named<T: Copy>(text: &str, names: &[(&str, T)]) -> Option<T> {
    names.iter().find(|(name, _)| text.contains(name)).map(|(_, meaning)| *meaning)
}

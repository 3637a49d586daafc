//! On what a visit was made: device, operating system and browser.
//!
//! One pass over the user agent notes which known names begin a word in it. Browsers claim to be
//! others as well (Edge says Chrome, Chrome says Safari), so what is decided from the notes goes
//! from the special to the general.

use super::{Browser, Device, Os};

/// What a name in a user agent stands for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    Windows,
    Android,
    IPhone,
    IPad,
    IPod,
    CrOs,
    Mac,
    Linux,
    Television,
    Tablet,
    Mobile,
    Instagram,
    Facebook,
    TikTok,
    Snapchat,
    Pinterest,
    Line,
    WeChat,
    Edge,
    Opera,
    Yandex,
    Samsung,
    Uc,
    Firefox,
    Chrome,
    WebView,
    Chromium,
    InternetExplorer,
    Safari,
}

/// The signs that occur in a user agent, one bit each.
#[derive(Clone, Copy, Default)]
struct Signs(u64);

impl Signs {
    fn note(&mut self, sign: Sign) {
        self.0 |= 1 << sign as u32;
    }

    fn has(self, sign: Sign) -> bool {
        self.0 & (1 << sign as u32) != 0
    }

    /// What the first sign in the list means that occurs.
    fn first<T: Copy>(self, meanings: &[(Sign, T)]) -> Option<T> {
        meanings.iter().find(|(sign, _)| self.has(*sign)).map(|(_, meaning)| *meaning)
    }
}

/// Device, operating system and browser of a user agent.
pub(super) fn describe(user_agent: &str) -> (Device, Os, Browser) {
    let signs = signs_of(user_agent.as_bytes());
    let os = os_of(signs);
    (device_of(signs, os), os, browser_of(signs))
}

/// Notes the names that begin a word.
fn signs_of(user_agent: &[u8]) -> Signs {
    let mut signs = Signs::default();
    let mut is_in_word = false;
    let mut rest = user_agent;
    while let [first, tail @ ..] = rest {
        if !is_in_word {
            for (name, sign) in names_from(*first) {
                if name.as_bytes().get(1) == tail.first() && rest.starts_with(name.as_bytes()) {
                    signs.note(*sign);
                }
            }
        }
        is_in_word = first.is_ascii_alphanumeric();
        rest = tail;
    }
    signs
}

/// The names that begin with a letter, exactly as they are written.
fn names_from(letter: u8) -> &'static [(&'static str, Sign)] {
    use Sign::*;
    match letter {
        b'A' => &[
            ("Android", Android),
            ("AppleTV", Television),
            ("Android TV", Television),
            ("AFT", Television),
        ],
        b'B' => &[("BRAVIA", Television), ("BytedanceWebview", TikTok)],
        b'C' => &[
            ("CrOS", CrOs),
            ("CrKey", Television),
            ("CriOS/", Chrome),
            ("Chrome/", Chromium),
            ("Chromium/", Chromium),
        ],
        b'D' => &[("Dalvik", Mobile)],
        b'E' => &[("Edg", Edge)],
        b'F' => &[
            ("FBAN/", Facebook),
            ("FBAV/", Facebook),
            ("FB_IAB", Facebook),
            ("Firefox/", Firefox),
            ("FxiOS/", Firefox),
        ],
        b'G' => &[("GoogleTV", Television)],
        b'H' => &[("HbbTV", Television)],
        b'I' => &[("Instagram", Instagram)],
        b'K' => &[("Kindle", Tablet)],
        b'L' => &[("Linux", Linux), ("Line/", Line)],
        b'M' => &[
            ("Macintosh", Mac),
            ("Mac OS X", Mac),
            ("Mobile", Mobile),
            ("MicroMessenger", WeChat),
            ("MSIE ", InternetExplorer),
        ],
        b'N' => &[("NetCast", Television)],
        b'O' => &[
            ("Opera Mini", Mobile),
            ("OPR/", Opera),
            ("OPT/", Opera),
            ("OPiOS", Opera),
            ("Opera", Opera),
        ],
        b'P' => &[("PlayBook", Tablet), ("Phone", Mobile), ("Pinterest/", Pinterest)],
        b'R' => &[("Roku", Television)],
        b'S' => &[
            ("SmartTV", Television),
            ("SMART-TV", Television),
            ("Smart-TV", Television),
            ("Snapchat", Snapchat),
            ("SamsungBrowser", Samsung),
            ("Safari/", Safari),
        ],
        b'T' => &[("Tablet", Tablet), ("Trident/", InternetExplorer)],
        b'U' => &[("UCBrowser", Uc), ("UCWEB", Uc)],
        b'W' => &[("Windows", Windows), ("Web0S", Television)],
        b'X' => &[("X11", Linux)],
        b'Y' => &[("YaBrowser", Yandex)],
        b'i' => &[("iPhone", IPhone), ("iPad", IPad), ("iPod", IPod), ("iPad", Tablet)],
        b'm' => &[("musical_ly", TikTok)],
        b'w' => &[("wv)", WebView)],
        _ => &[],
    }
}

/// The operating system. Android says Linux, and Windows Phone said Android.
fn os_of(signs: Signs) -> Os {
    let meanings = [
        (Sign::Windows, Os::Windows),
        (Sign::Android, Os::Android),
        (Sign::IPhone, Os::Ios),
        (Sign::IPad, Os::Ios),
        (Sign::IPod, Os::Ios),
        (Sign::CrOs, Os::ChromeOs),
        (Sign::Mac, Os::MacOs),
        (Sign::Linux, Os::Linux),
    ];
    signs.first(&meanings).unwrap_or(Os::Other)
}

/// The kind of device. Android tablets are those that do not say Mobile.
fn device_of(signs: Signs, os: Os) -> Device {
    let meanings = [
        (Sign::Television, Device::Tv),
        (Sign::Tablet, Device::Tablet),
        (Sign::Mobile, Device::Mobile),
    ];
    signs.first(&meanings).unwrap_or(match os {
        Os::Ios => Device::Mobile,
        Os::Android => Device::Tablet,
        Os::Windows | Os::MacOs | Os::ChromeOs | Os::Linux => Device::Desktop,
        Os::Other => Device::Other,
    })
}

/// The browser, or the app that contains one.
fn browser_of(signs: Signs) -> Browser {
    let meanings = [
        (Sign::Instagram, Browser::Instagram),
        (Sign::Facebook, Browser::Facebook),
        (Sign::TikTok, Browser::TikTok),
        (Sign::Snapchat, Browser::Snapchat),
        (Sign::Pinterest, Browser::Pinterest),
        (Sign::Line, Browser::Line),
        (Sign::WeChat, Browser::WeChat),
        (Sign::Edge, Browser::Edge),
        (Sign::Opera, Browser::Opera),
        (Sign::Yandex, Browser::Yandex),
        (Sign::Samsung, Browser::Samsung),
        (Sign::Uc, Browser::Uc),
        (Sign::Firefox, Browser::Firefox),
        (Sign::Chrome, Browser::Chrome),
        (Sign::WebView, Browser::WebView),
        (Sign::Chromium, Browser::Chrome),
        (Sign::InternetExplorer, Browser::InternetExplorer),
        (Sign::Safari, Browser::Safari),
    ];
    signs.first(&meanings).unwrap_or(Browser::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_under_its_first_letter() {
        for letter in 0..=255 {
            for (name, sign) in names_from(letter) {
                assert_eq!(name.as_bytes()[0], letter, "{name}");
                assert!(signs_of(format!("x/1 ({name}").as_bytes()).has(*sign), "{name}");
                assert!((*sign as u32) < u64::BITS);
            }
        }
    }
}

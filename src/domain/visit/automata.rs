//! Tells programs from people by the user agent. Only those that say what they are: whoever
//! hides is not found by a name.
//!
//! One pass over the text. At each position the first letter chooses a handful of names; those
//! that begin a word are tried at the beginnings of words only, so that a telephone called Cubot
//! is no bot and `Monitor` in a model's name no monitor.

use super::Uncounted;

/// Words of which a person's browser, or an app that opens a link, has at least one.
const BROWSER_WORDS: &[&str] = &[
    "Mozilla",
    "Opera",
    "AppleWebKit",
    "Android",
    "iPhone",
    "iPad",
    "iOS",
    "CFNetwork",
    "Dalvik",
    "Windows Phone",
    "MIDP",
    "Browser",
    "BROWSER",
    "BlackBerry",
    "UCWEB",
    "Symbian",
    "KAIOS",
    "Nokia",
    "SAMSUNG",
    "SonyEricsson",
    "[FBAN",
];

/// Programs whose name begins the whole user agent. Apps of some of these put the same name behind
/// the user agent of the browser that they contain, and that is a person's.
const BEGINNINGS: &[(&str, Uncounted)] = &[
    ("curl", Uncounted::Tool),
    ("cloudflare", Uncounted::Bot),
    ("java/", Uncounted::Tool),
    ("keybase", Uncounted::Preview),
    ("microsoft office", Uncounted::Preview),
    ("php/", Uncounted::Tool),
    ("perl", Uncounted::Tool),
    ("ruby", Uncounted::Tool),
    ("synapse", Uncounted::Preview),
    ("tumblr/", Uncounted::Preview),
    ("viber", Uncounted::Preview),
    ("whatsapp", Uncounted::Preview),
];

/// What kind of program a user agent names; nothing for what may be a person's browser.
pub(super) fn recognise(user_agent: &str) -> Option<Uncounted> {
    if user_agent.is_empty() {
        return Some(Uncounted::NoUserAgent);
    }
    let bytes = user_agent.as_bytes();
    let mut found = None;
    for (name, kind) in BEGINNINGS {
        if begins_with(bytes, name) {
            found = Some(*kind);
        }
    }
    if found == Some(Uncounted::Preview) {
        return found;
    }
    let mut previous = b' ';
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let letter = first.to_ascii_lowercase();
        if !previous.is_ascii_alphabetic() {
            // Most names fail on their second letter, which is cheaper than a call.
            let second = tail.first().map(u8::to_ascii_lowercase);
            for (name, kind) in words_from(letter) {
                if name.as_bytes().get(1) == second.as_ref() && begins_with(rest, name) {
                    // A preview says more than a bot: Discordbot is both.
                    if *kind == Uncounted::Preview {
                        return Some(Uncounted::Preview);
                    }
                    found = found.or(Some(*kind));
                }
            }
        }
        if found.is_none() && has_mark(rest, letter, previous) {
            found = Some(Uncounted::Bot);
        }
        previous = *first;
        rest = tail;
    }
    found.or_else(|| {
        let says = |word: &&str| user_agent.contains(*word);
        if !BROWSER_WORDS.iter().any(says) {
            Some(Uncounted::Tool)
        } else if user_agent.contains("compatible;") && !COMPATIBLE_BROWSERS.iter().any(says) {
            Some(Uncounted::Bot)
        } else {
            None
        }
    })
}

/// The browsers that called themselves `compatible`; everything else that does is a crawler.
const COMPATIBLE_BROWSERS: &[&str] = &["MSIE", "Trident/", "IEMobile", "Konqueror", "Opera"];

/// Whether a text begins with a lower-case name, whatever the text's case.
fn begins_with(text: &[u8], name: &str) -> bool {
    text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether a program's mark begins here, within a word or not.
fn has_mark(rest: &[u8], letter: u8, previous: u8) -> bool {
    match letter {
        b'b' => begins_with(rest, "bot") && is_bot_word(rest, previous),
        b'c' => begins_with(rest, "crawl"),
        b's' => {
            begins_with(rest, "spider") || begins_with(rest, "scrap") || begins_with(rest, "scann")
        }
        // An address of the owner, as crawlers give it.
        b'h' => begins_with(rest, "http://") || begins_with(rest, "https://"),
        b'f' => begins_with(rest, "fetcher"),
        b'i' => begins_with(rest, "indexer"),
        b'v' => begins_with(rest, "validator"),
        _ => false,
    }
}

/// Whether `bot` ends a word here (`Googlebot/`, `bots`), and the word is not a telephone's name.
fn is_bot_word(rest: &[u8], previous: u8) -> bool {
    let ends_word = |next: Option<&u8>| !next.is_some_and(u8::is_ascii_alphanumeric);
    let is_end = match rest.get(3) {
        Some(b's' | b'S') => ends_word(rest.get(4)),
        next => ends_word(next),
    };
    is_end && !previous.eq_ignore_ascii_case(&b'u')
}

/// The names of programs that begin with a letter, in lower case.
pub(super) fn words_from(letter: u8) -> &'static [(&'static str, Uncounted)] {
    use Uncounted::{Bot, Preview, Tool};
    match letter {
        b'a' => &[
            ("adbeat", Bot),
            ("applebot", Bot),
            ("adsbot", Bot),
            ("ahrefs", Bot),
            ("archiver", Bot),
            ("axios", Tool),
            ("aiohttp", Tool),
            ("apache-httpclient", Tool),
            ("apachebench", Tool),
            ("appengine", Tool),
            ("asynchttp", Tool),
        ],
        b'b' => &[
            ("bingpreview", Preview),
            ("bitlybot", Preview),
            ("bitrix link preview", Preview),
            ("bluesky", Preview),
            ("barkrowler", Bot),
            ("barracuda", Bot),
            ("baiduspider", Bot),
            ("bubing", Bot),
        ],
        b'c' => &[
            ("colly", Tool),
            ("cypress/", Bot),
            ("checkmark", Bot),
            ("chrome-lighthouse", Bot),
            ("censys", Bot),
            ("catchpoint", Bot),
        ],
        b'd' => &[
            ("dareboost", Bot),
            ("dmbrowser", Bot),
            ("dotcom-monitor", Bot),
            ("discordbot", Preview),
            ("dataprovider", Bot),
            ("datadog", Bot),
            ("disqus", Bot),
            ("duckduckgo-favicons", Bot),
        ],
        b'e' => &[("embedly", Preview), ("electron-fetch", Tool)],
        b'f' => &[
            ("facebookexternalhit", Preview),
            ("facebookcatalog", Preview),
            ("facebot", Preview),
            ("flipboardproxy", Preview),
            ("feedly", Bot),
            ("feedfetcher", Bot),
            ("feedburner", Bot),
            ("freshrss", Bot),
            ("faraday", Tool),
        ],
        b'g' => &[
            ("google-pagerenderer", Preview),
            ("google web preview", Preview),
            ("googleimageproxy", Preview),
            ("google-", Bot),
            ("google favicon", Bot),
            ("google page speed", Bot),
            ("google search console", Bot),
            ("googleother", Bot),
            ("googleagent", Bot),
            ("gomezagent", Bot),
            ("go-http-client", Tool),
            ("got (", Tool),
            ("guzzlehttp", Tool),
            ("gtmetrix", Bot),
        ],
        b'h' => &[
            ("headless", Tool),
            ("hubspot", Bot),
            ("hatena", Bot),
            ("heritrix", Bot),
            ("httpie", Tool),
            ("httpclient", Tool),
            ("httpx", Tool),
            ("http_request", Tool),
            ("httrack", Tool),
        ],
        b'i' => &[
            ("ips-agent", Bot),
            ("iframely", Preview),
            ("ia_archiver", Bot),
            ("internetarchive", Bot),
            ("insomnia/", Tool),
        ],
        b'j' => &[("jakarta", Tool), ("jigsaw", Bot), ("jetty", Tool)],
        b'k' => &[("kakaotalk-scrap", Preview), ("k6/", Tool)],
        b'l' => &[
            ("linkedinbot", Preview),
            ("line-poker", Preview),
            ("libwww", Tool),
            ("lua-resty-http", Tool),
            ("larbin", Bot),
            ("lighthouse", Bot),
            ("linkcheck", Bot),
        ],
        b'm' => &[
            ("ms-office", Preview),
            ("msoffice", Preview),
            ("mattermost-bot", Preview),
            ("microsoftpreview", Preview),
            ("mastodon/", Preview),
            ("misskey", Preview),
            ("mediapartners-google", Bot),
            ("mimecast", Bot),
            ("monitoring", Bot),
            ("moreover", Bot),
            ("monit/", Bot),
        ],
        b'n' => &[
            ("nextcloud server crawler", Preview),
            ("node-fetch", Tool),
            ("node-superagent", Tool),
            ("nutch", Bot),
            ("nagios", Bot),
            ("netcraft", Bot),
            ("newrelic", Bot),
            ("netvibes", Bot),
            ("nmap", Bot),
            ("nessus", Bot),
            ("nikto", Bot),
        ],
        b'o' => &[("outbrain", Preview), ("okhttp", Tool), ("oai-searchbot", Bot)],
        b'p' => &[
            ("pinterestbot", Preview),
            ("phantomjs", Bot),
            ("pingdom", Bot),
            ("playwright", Bot),
            ("puppeteer", Bot),
            ("prerender", Bot),
            ("proofpoint", Bot),
            ("ptst", Bot),
            ("pycurl", Tool),
            ("python", Tool),
            ("postmanruntime", Tool),
        ],
        b'q' => &[("quora link preview", Preview), ("qwantify", Bot)],
        b'r' => &[
            ("redditbot", Preview),
            ("rocket.chat", Preview),
            ("reqwest", Tool),
            ("rest-client", Tool),
            ("restsharp", Tool),
        ],
        b's' => &[
            ("slackbot", Preview),
            ("slack-imgproxy", Preview),
            ("skypeuripreview", Preview),
            ("snap url preview", Preview),
            ("snapchatads", Preview),
            ("signal-desktop", Preview),
            ("slurp", Bot),
            ("sogou", Bot),
            ("scrapy", Bot),
            ("screaming frog", Bot),
            ("selenium", Bot),
            ("semrush", Bot),
            ("seznam", Bot),
            ("site24x7", Bot),
            ("siteimprove", Bot),
            ("statuscake", Bot),
            ("symantec", Bot),
            ("simplepie", Bot),
            ("sqlmap", Bot),
        ],
        b't' => &[
            ("thousandeyes", Bot),
            ("transcoder", Bot),
            ("twitterbot", Preview),
            ("telegrambot", Preview),
            ("teams-linkpreview", Preview),
            ("trendsmapresolver", Bot),
            ("trendmicro", Bot),
            ("tineye", Bot),
            ("typhoeus", Tool),
        ],
        b'u' => &[
            ("uptime", Bot),
            ("updown.io", Bot),
            ("undici", Tool),
            ("unirest", Tool),
            ("urlgrabber", Tool),
        ],
        b'v' => &[("vkshare", Preview), ("virustotal", Bot), ("validator", Bot)],
        b'w' => &[
            ("wget", Tool),
            ("winhttp", Tool),
            ("w3c_", Bot),
            ("w3c-", Bot),
            ("webpagetest", Bot),
            ("wappalyzer", Bot),
            ("wordpress/", Bot),
            ("webthumbnail", Bot),
        ],
        b'x' => &[("xing-contenttabreceiver", Preview), ("xenu link sleuth", Bot)],
        b'y' => &[
            ("yahoo link preview", Preview),
            ("yahoo:linkexpander", Preview),
            ("yandexdirect", Bot),
            ("yandeximages", Bot),
            ("yandexmetrika", Bot),
            ("yandexrca", Bot),
            ("yandexfavicons", Bot),
            ("yandexwebmaster", Bot),
            ("yandexmarket", Bot),
            ("yandexmedia", Bot),
            ("yandexvideo", Bot),
            ("yisouspider", Bot),
        ],
        b'z' => &[("zabbix", Bot), ("zgrab", Bot), ("zoominfo", Bot), ("zscaler", Bot)],
        _ => &[],
    }
}

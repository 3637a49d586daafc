//! Tests of [`super`].

use super::*;

fn by(user_agent: &str) -> Visit {
    read(Agent::of(user_agent), &Hints::default())
}

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
     Chrome/131.0.0.0 Safari/537.36";

#[test]
fn link_previews_are_recognised_and_are_no_bots() {
    for user_agent in [
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "Slackbot 1.0 (+https://api.slack.com/robots)",
        "Slack-ImgProxy (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "facebookexternalhit/1.1",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) \
         Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
        "Facebot/1.0",
        "WhatsApp/2.23.20.0 A",
        "WhatsApp/2.2587.9 W",
        "Twitterbot/1.0",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
        "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
        "Snap URL Preview Service; bot; snapchat; https://developers.snap.com/robots",
        "Viber",
        "Viber/13.3.0.5 CFNetwork/1128.0.1 Darwin/19.6.0",
        "Iframely/1.3.1 (+https://iframely.com/docs/about) Atlassian",
        "Mozilla/5.0 (compatible; Iframely/1.3.1)",
        "Mozilla/5.0 (compatible; redditbot/1.0; +http://www.reddit.com/feedback)",
        "Mozilla/5.0 (compatible; Pinterestbot/1.0; +http://www.pinterest.com/bot.html)",
        "Mozilla/5.0 (compatible; vkShare; +http://vk.com/dev/Share)",
        "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
        "http.rb/5.1.1 (Mastodon/4.2.1; +https://mastodon.example/) Bot",
        "Mozilla/4.0 (compatible; ms-office; MSOffice 16)",
        "Mozilla/5.0 (compatible; Embedly/0.2; +http://support.embed.ly/)",
    ] {
        let visit = by(user_agent);
        assert_eq!(visit.uncounted, Some(Uncounted::Preview), "{user_agent}");
        assert!(!visit.is_suspected_bot, "{user_agent}");
    }
}

#[test]
fn bots_that_say_so_are_suspected() {
    for user_agent in [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like \
         Gecko) Chrome/131.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; \
         +http://www.google.com/bot.html)",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (compatible; YandexBot/3.0; +http://yandex.com/bots)",
        "Mozilla/5.0 (compatible; Baiduspider/2.0; +http://www.baidu.com/search/spider.html)",
        "Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)",
        "Mozilla/5.0 (compatible; SemrushBot/7~bl; +http://www.semrush.com/bot.html)",
        "AdsBot-Google (+http://www.google.com/adsbot.html)",
        "Mediapartners-Google",
        "APIs-Google (+https://developers.google.com/webmasters/APIs-Google.html)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; \
         +https://openai.com/gptbot)",
        "CCBot/2.0 (https://commoncrawl.org/faq/)",
        "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_5) AppleWebKit/605.1.15 (KHTML, like Gecko) \
         Version/13.1.1 Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
        "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 \
         Safari/538.1",
        "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
        "Mozilla/5.0 (compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/100.0 Safari/537.36 Chrome-Lighthouse",
        "Mozilla/5.0 (compatible; Barracuda Sentinel (EE))",
        "Mozilla/5.0 (compatible; proofpoint)",
        "Mozilla/5.0 (compatible; SomethingNobodyKnows/1.0)",
        "ia_archiver",
        "Screaming Frog SEO Spider/19.0",
    ] {
        let visit = by(user_agent);
        assert_eq!(visit.uncounted, Some(Uncounted::Bot), "{user_agent}");
        assert!(visit.is_suspected_bot, "{user_agent}");
    }
}

#[test]
fn libraries_and_a_missing_user_agent_are_not_counted_and_not_suspected() {
    for user_agent in [
        "curl/8.5.0",
        "Wget/1.21.4",
        "python-requests/2.31.0",
        "Python-urllib/3.12",
        "python-httpx/0.27.0",
        "Python/3.12 aiohttp/3.9.1",
        "Go-http-client/1.1",
        "Java/17.0.9",
        "Apache-HttpClient/4.5.13 (Java/11.0.20)",
        "okhttp/4.12.0",
        "axios/1.6.2",
        "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
        "node",
        "undici",
        "PostmanRuntime/7.36.0",
        "GuzzleHttp/7",
        "PHP/8.2",
        "Ruby",
        "libwww-perl/6.72",
        "HTTPie/3.2.2",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         HeadlessChrome/131.0.0.0 Safari/537.36",
        "-",
        "x",
    ] {
        let visit = by(user_agent);
        assert_eq!(visit.uncounted, Some(Uncounted::Tool), "{user_agent}");
        assert!(!visit.is_suspected_bot, "{user_agent}");
    }
    for user_agent in ["", "   "] {
        let visit = by(user_agent);
        assert_eq!(visit.uncounted, Some(Uncounted::NoUserAgent));
        assert!(!visit.is_suspected_bot);
    }
}

#[test]
fn people_are_counted_and_described() {
    use Browser as B;
    use Device::{Desktop, Mobile, Other, Tablet, Tv};
    for (user_agent, device, os, browser) in [
        (CHROME, Desktop, Os::Windows, B::Chrome),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
            Desktop,
            Os::MacOs,
            B::Safari,
        ),
        (
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            Desktop,
            Os::Linux,
            B::Firefox,
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            Desktop,
            Os::ChromeOs,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
            Desktop,
            Os::Windows,
            B::Edge,
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0",
            Desktop,
            Os::Windows,
            B::Opera,
        ),
        (
            "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
            Desktop,
            Os::Windows,
            B::InternetExplorer,
        ),
        (
            "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0)",
            Desktop,
            Os::Windows,
            B::InternetExplorer,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Mobile/15E148 Safari/604.1",
            Mobile,
            Os::Ios,
            B::Safari,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/131.0 Mobile/15E148 Safari/604.1",
            Mobile,
            Os::Ios,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1 Mobile/15E148 Safari/604.1",
            Tablet,
            Os::Ios,
            B::Safari,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36",
            Mobile,
            Os::Android,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-X200) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
            Tablet,
            Os::Android,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36",
            Mobile,
            Os::Android,
            B::Samsung,
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; CUBOT_X30 Build/QP1A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.0.0 Mobile Safari/537.36",
            Mobile,
            Os::Android,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (Linux; Android 7.0; CUBOT Build/NRD90M) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/62.0 Mobile Safari/537.36",
            Mobile,
            Os::Android,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (Linux; Android 12; M2101K6G Build/SKQ1; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.0.0 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/440.0.0.30.112;]",
            Mobile,
            Os::Android,
            B::Facebook,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21B91 [FBAN/FBIOS;FBAV/440.0;FBDV/iPhone14,5;FBSN/iOS;FBOP/5]",
            Mobile,
            Os::Ios,
            B::Facebook,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/21B91 Instagram 309.0.0.18.118 (iPhone14,5; iOS 17_1_1; en_SA@calendar=gregorian)",
            Mobile,
            Os::Ios,
            B::Instagram,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; 2201117TG; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/119.0 Mobile Safari/537.36 musical_ly_2023208030 BytedanceWebview/d8a21c6",
            Mobile,
            Os::Android,
            B::TikTok,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Snapchat/12.60.0.39 (like Safari/8616.1.27, panda)",
            Mobile,
            Os::Ios,
            B::Snapchat,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [Pinterest/iOS]",
            Mobile,
            Os::Ios,
            B::Pinterest,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Safari Line/13.18.1",
            Mobile,
            Os::Ios,
            B::Line,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; V2049A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/111.0 Mobile Safari/537.36 MicroMessenger/8.0.42",
            Mobile,
            Os::Android,
            B::WeChat,
        ),
        (
            "Mozilla/5.0 (Linux; Android 13; SM-A515F; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/119.0 Mobile Safari/537.36 Viber/21.0",
            Mobile,
            Os::Android,
            B::WebView,
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 11_1 like Mac OS X) AppleWebKit/604.3.5 (KHTML, like Gecko) Mobile/15B93 (Ecosia ios@3.0.2.609)",
            Mobile,
            Os::Ios,
            B::Other,
        ),
        (
            "Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/538.1 (KHTML, like Gecko) Version/6.0 TV Safari/538.1",
            Tv,
            Os::Linux,
            B::Safari,
        ),
        (
            "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0 Safari/537.36",
            Tv,
            Os::Linux,
            B::Chrome,
        ),
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/4.0) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15",
            Other,
            Os::Other,
            B::Safari,
        ),
        (
            "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16",
            Mobile,
            Os::Android,
            B::Opera,
        ),
        ("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ3A)", Mobile, Os::Android, B::Other),
        ("SomeApp/3.2 CFNetwork/1474 Darwin/23.0.0", Other, Os::Other, B::Other),
    ] {
        let visit = by(user_agent);
        assert_eq!(visit.uncounted, None, "{user_agent}");
        assert!(!visit.is_suspected_bot && !visit.is_embedded, "{user_agent}");
        assert_eq!((visit.device, visit.os, visit.browser), (device, os, browser), "{user_agent}");
    }
}

#[test]
fn a_prefetch_is_not_counted_whatever_browser_makes_it() {
    for purpose in
        ["prefetch", "prefetch;prerender", "prefetch;anonymous-client-ip", "Prefetch", "prerender"]
    {
        let visit = read(Agent::of(CHROME), &Hints { purpose, ..Hints::default() });
        assert_eq!(visit.uncounted, Some(Uncounted::Prefetch), "{purpose}");
        assert!(!visit.is_suspected_bot);
    }
    let preview = read(Agent::of(CHROME), &Hints { purpose: "preview", ..Hints::default() });
    assert_eq!(preview.uncounted, Some(Uncounted::Preview));
    for purpose in ["", "navigate", "noprefetch"] {
        let visit = read(Agent::of(CHROME), &Hints { purpose, ..Hints::default() });
        assert_eq!(visit.uncounted, None, "{purpose}");
    }
    let bot = read(Agent::of("Googlebot/2.1"), &Hints { purpose: "prefetch", ..Hints::default() });
    assert_eq!((bot.uncounted, bot.is_suspected_bot), (Some(Uncounted::Prefetch), true));
}

#[test]
fn images_and_frames_are_embedded() {
    for (fetch_dest, expected) in [
        ("image", true),
        ("iframe", true),
        ("frame", true),
        ("embed", true),
        ("object", true),
        ("fencedframe", true),
        ("document", false),
        ("empty", false),
        ("", false),
    ] {
        let visit = read(Agent::of(CHROME), &Hints { fetch_dest, ..Hints::default() });
        assert_eq!(visit.is_embedded, expected, "{fetch_dest}");
        assert_eq!(visit.uncounted, None);
    }
    assert!(read(Agent::of(CHROME), &Hints { gpc: true, ..Hints::default() }).has_gpc);
}

#[test]
fn the_names_of_programs_stand_under_their_first_letter_in_lower_case() {
    for letter in b'a'..=b'z' {
        for (name, _) in automata::words_from(letter) {
            assert_eq!(name.as_bytes()[0], letter, "{name}");
            assert_eq!(*name, name.to_lowercase());
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_header_makes_the_reader_panic(user_agent in "(bot|Mozilla/|http:|\\PC){0,40}", other in "\\PC{0,12}") {
        let _ = read(Agent::of(&user_agent), &Hints { purpose: &other, fetch_dest: &other, gpc: false });
    }

    #[test]
    fn what_stands_far_behind_is_not_read(text in "é{520,600}") {
        let user_agent = format!("Mozilla/5.0 {text} Googlebot");
        proptest::prop_assert_eq!(by(&user_agent).uncounted, None);
    }
}

//! The cookies of a visitor: the newest click_id, and one of each campaign (wire.md 3).

use super::click_id::claimed_time;
use super::time::Timestamp;

/// The name of the cookie with the newest click_id; those of campaigns add `_{campaign}`.
pub const NAME: &str = "click_id";
/// How many cookies of campaigns a visitor may have.
pub const MAX_CAMPAIGN_COOKIES: usize = 20;
/// How many cookies one reply expires; a hostile header is not answered at any length.
pub const MAX_EXPIRED_AT_ONCE: usize = 20;
/// Browsers keep no cookie for longer than 400 days.
pub const MAX_AGE_SECONDS: u32 = 400 * 24 * 60 * 60;

/// A click_id from a `Cookie` header, not verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClickCookie<'a> {
    /// The campaign of `click_id_{campaign}`; nothing for `click_id` itself.
    pub campaign: Option<u32>,
    /// The value as sent.
    pub click_id: &'a str,
}

/// The click_ids of a `Cookie` header, in its order.
pub fn click_cookies(header: &str) -> impl Iterator<Item = ClickCookie<'_>> {
    header.split(';').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let rest = name.trim_ascii().strip_prefix(NAME)?;
        let campaign = match rest.strip_prefix('_') {
            None if rest.is_empty() => None,
            None => return None,
            Some(digits) => Some(campaign_number(digits)?),
        };
        let value = value.trim_ascii();
        let unquoted = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
        let click_id = unquoted.unwrap_or(value);
        (!click_id.is_empty()).then_some(ClickCookie { campaign, click_id })
    })
}

/// A campaign's number exactly as we write it: another spelling is another cookie's name.
fn campaign_number(digits: &str) -> Option<u32> {
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    if is_plain { digits.parse().ok() } else { None }
}

/// What the clicks of a campaign set, but for the click_id: every click writes two cookies.
#[derive(Clone, Debug)]
pub struct CampaignCookies {
    lax: Pieces,
    /// As long as pages of other sites show our pixels.
    none: Pieces,
}

/// The text of two cookies with the same value of `SameSite`.
#[derive(Clone, Debug)]
struct Pieces {
    /// `; Path=/; …; SameSite=Lax`, a line feed and `click_id_7=`
    between: String,
    /// `; Path=/; …; SameSite=Lax`
    end: String,
}

impl CampaignCookies {
    /// Those of a campaign whose clicks convert for some days.
    pub fn of(campaign: u32, window_days: u32) -> Self {
        let max_age = window_days.saturating_mul(24 * 60 * 60).min(MAX_AGE_SECONDS);
        let pieces = |same_site: &str| {
            let end = format!("{}{same_site}", attributes(max_age));
            Pieces { between: format!("{end}\n{NAME}_{campaign}="), end }
        };
        Self { lax: pieces("Lax"), none: pieces("None") }
    }

    /// Appends the values of two `Set-Cookie` headers, a line feed before each. The click_id must be
    /// ours.
    pub fn write(&self, lines: &mut String, click_id: &str, is_same_site_none: bool) {
        let Pieces { between, end } = if is_same_site_none { &self.none } else { &self.lax };
        for piece in [NEWEST, click_id, between, click_id, end] {
            lines.push_str(piece);
        }
    }
}

/// A line that begins the cookie with the newest click_id.
const NEWEST: &str = "\nclick_id=";

fn attributes(max_age_seconds: u32) -> String {
    format!("; Path=/; Max-Age={max_age_seconds}; Secure; HttpOnly; SameSite=")
}

/// The value of a `Set-Cookie` header that removes the cookie of a campaign.
pub fn expire_campaign_cookie(campaign: u32) -> String {
    format!("{NAME}_{campaign}={}Lax", attributes(0))
}

/// The campaigns whose cookies have to go when one of `campaign` is set, oldest first, so that
/// at most 20 remain. The age is what the id says of itself; one that cannot be read is oldest.
pub fn campaigns_to_expire(header: &str, campaign: u32) -> Vec<u32> {
    // A first visit brings none.
    if header.is_empty() {
        return Vec::new();
    }
    let mut others: Vec<(u64, u32)> = Vec::new();
    for cookie in click_cookies(header) {
        let Some(other) = cookie.campaign.filter(|other| *other != campaign) else { continue };
        if !others.iter().any(|(_, known)| *known == other) {
            others.push((claimed_time(cookie.click_id).map_or(0, Timestamp::ms), other));
        }
    }
    let excess = (others.len() + 1).saturating_sub(MAX_CAMPAIGN_COOKIES);
    if excess == 0 {
        return Vec::new();
    }
    others.sort_unstable();
    others.into_iter().take(excess.min(MAX_EXPIRED_AT_ONCE)).map(|(_, other)| other).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    fn id_of(ms: u64) -> String {
        // Version 1, key 0; nothing verifies it.
        let mut bytes = [0x10; 36];
        bytes[4..10].copy_from_slice(&ms.to_be_bytes()[2..]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    #[test]
    fn a_cookie_is_written_to_the_letter() {
        let mut lines = "https://s.example/".to_owned();
        CampaignCookies::of(7, 30).write(&mut lines, "abc", false);
        CampaignCookies::of(8, u32::MAX).write(&mut lines, "abc", true);
        assert_eq!(
            lines,
            "https://s.example/\n\
             click_id=abc; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax\n\
             click_id_7=abc; Path=/; Max-Age=2592000; Secure; HttpOnly; SameSite=Lax\n\
             click_id=abc; Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=None\n\
             click_id_8=abc; Path=/; Max-Age=34560000; Secure; HttpOnly; SameSite=None"
        );
        assert_eq!(
            expire_campaign_cookie(7),
            "click_id_7=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn our_cookies_are_found_among_others() {
        let header = "a=b; click_id=X;click_id_7=\"Y\" ; click_id_07=n; click_idx=n; click_id_=n; \
                      xclick_id=n; click_id_4294967296=n; click_id; click_id_9=; =; click_id_8=a=b";
        let found: Vec<_> = click_cookies(header).map(|c| (c.campaign, c.click_id)).collect();
        assert_eq!(found, [(None, "X"), (Some(7), "Y"), (Some(8), "a=b")]);
    }

    #[test]
    fn the_oldest_cookies_beyond_twenty_are_expired() {
        let cookie = |campaign: u32| {
            format!("click_id_{campaign}={}; ", id_of(1_000_000 - u64::from(campaign)))
        };
        let header: String = (1..=19).map(cookie).collect();
        assert!(campaigns_to_expire(&header, 100).is_empty());
        assert!(campaigns_to_expire(&header, 5).is_empty());
        let header: String = (1..=20).map(cookie).collect();
        assert!(campaigns_to_expire(&header, 5).is_empty());
        assert_eq!(campaigns_to_expire(&header, 100), [20]);
        let header = format!("{header}click_id_50=junk; click_id_50=junk; click_id={}", id_of(1));
        assert_eq!(campaigns_to_expire(&header, 100), [50, 20]);
        let flood: String = (1..=900).map(cookie).collect();
        assert_eq!(campaigns_to_expire(&flood, 1000).len(), MAX_EXPIRED_AT_ONCE);
    }

    proptest::proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(header in "(click_id(_[0-9]{0,3})?|[a-z;=\" ]|\\PC){0,60}") {
            let _ = campaigns_to_expire(&header, 1);
            for cookie in click_cookies(&header) {
                proptest::prop_assert!(!cookie.click_id.contains(';'));
            }
        }

        #[test]
        fn what_is_set_is_found_again(campaign in 1u32.., value in "[A-Za-z0-9_-]{1,48}") {
            let mut lines = String::new();
            CampaignCookies::of(campaign, 1).write(&mut lines, &value, false);
            let sent = lines.lines().skip(1).map(|set| set.split(';').next().unwrap());
            let sent = sent.collect::<Vec<_>>().join("; ");
            let found: Vec<_> = click_cookies(&sent).collect();
            let cookie = |campaign| ClickCookie { campaign, click_id: &value };
            proptest::prop_assert_eq!(found, [cookie(None), cookie(Some(campaign))]);
        }
    }
}

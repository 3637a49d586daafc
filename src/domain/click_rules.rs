//! The rules by which a campaign holds or rejects what comes of clicks that deserve no money.
//!
//! Some need only the click_id and the request and are judged at once; the others need the click's
//! row, which may come later, and are examined behind the reply (`examination`).

use sha2::{Digest as _, Sha256};

use super::verdict::words;

words! {
    /// What a rule does.
    Action {
        /// Nothing.
        Off = "off",
        /// The conversion waits for an operator.
        Hold = "hold",
        /// The conversion is recorded as rejected; an operator can approve it.
        Reject = "reject",
    }
}

words! {
    /// A rule, by its name.
    ClickRule {
        /// The conversion came too soon after the click.
        TooFast = "too_fast",
        /// The click was made by a known bot.
        Bot = "bot",
        /// The customer is the affiliate.
        SelfReferral = "self_referral",
        /// The visitor had clicked before on that day.
        DuplicateClick = "duplicate_click",
        /// Another conversion came from the same address a short time before.
        IpCoolDown = "ip_cool_down",
        /// The click came out of a data centre.
        DataCentre = "data_centre",
    }
}

/// What a campaign wants of each rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClickRules {
    /// Of conversions that come too soon after the click.
    pub too_fast: Action,
    /// How long after the click is too soon.
    pub too_fast_seconds: u32,
    /// Of further clicks of a visitor on one day.
    pub duplicate_click: Action,
    /// Of further conversions from one address.
    pub ip_cool_down: Action,
    /// For how long after a conversion.
    pub ip_cool_down_minutes: u32,
    /// Of clicks of known bots; they are held at least.
    pub bot: Action,
    /// Of clicks out of data centres.
    pub data_centre: Action,
    /// Networks that count as data centres besides the known ones, by number.
    pub data_centre_networks: Vec<u32>,
    /// Of customers who are the affiliate.
    pub self_referral: Action,
}

impl Default for ClickRules {
    fn default() -> Self {
        Self {
            too_fast: Action::Off,
            too_fast_seconds: 10,
            duplicate_click: Action::Off,
            ip_cool_down: Action::Off,
            ip_cool_down_minutes: 60,
            bot: Action::Hold,
            data_centre: Action::Off,
            data_centre_networks: Vec::new(),
            self_referral: Action::Off,
        }
    }
}

impl ClickRules {
    /// Whether any rule needs the click's row, and more in it than every click has.
    pub fn needs_row(&self) -> bool {
        [self.duplicate_click, self.ip_cool_down, self.data_centre].iter().any(|a| a.is_on())
    }

    /// For how long after a conversion another one from its address is stopped, in milliseconds; 0
    /// where the rule is off.
    pub fn cool_down_ms(&self) -> u64 {
        let minutes = if self.ip_cool_down.is_on() { self.ip_cool_down_minutes } else { 0 };
        u64::from(minutes) * super::time::MINUTE_MS
    }
}

impl Action {
    /// Whether it does anything.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }
}

/// A rule that applies to a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which one.
    pub rule: ClickRule,
    /// What it does.
    pub action: Action,
    /// What it found, in words.
    pub why: String,
}

/// The rule that decides among those that apply: the first that rejects, else the first.
pub fn decisive(all: &[Found]) -> Option<&Found> {
    all.iter().find(|found| found.action == Action::Reject).or(all.first())
}

/// The reason of a status that a rule made.
pub fn reason(found: &Found) -> String {
    format!("rule {}: {}", found.rule.as_str(), found.why)
}

/// All rules that apply, in words.
pub fn in_words(all: &[Found]) -> String {
    let one = |f: &Found| format!("{} ({}): {}", f.rule.as_str(), f.action.as_str(), f.why);
    all.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// What stands for a customer's number where only equality matters: the first 8 bytes of its
/// SHA-256, so that a link stays a small plain value. Never 0, which means none.
pub fn customer_mark(customer_id: &str) -> u64 {
    let digest = Sha256::digest(customer_id.as_bytes());
    digest.first_chunk::<8>().map_or(1, |bytes| u64::from_be_bytes(*bytes)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rejects_decides_and_otherwise_the_first() {
        let of = |rule, action| Found { rule, action, why: "x".to_owned() };
        let both =
            [of(ClickRule::TooFast, Action::Hold), of(ClickRule::SelfReferral, Action::Reject)];
        assert_eq!(decisive(&both), Some(&both[1]));
        assert_eq!(decisive(&both[..1]), Some(&both[0]));
        assert_eq!(decisive(&[]), None);
        assert_eq!(in_words(&both), "too_fast (hold): x; self_referral (reject): x");
    }

    #[test]
    fn only_three_rules_need_the_row_of_a_click() {
        let off = ClickRules::default();
        assert!(!off.needs_row() && off.cool_down_ms() == 0);
        let (too_fast, bot) = (Action::Reject, Action::Reject);
        assert!(!ClickRules { too_fast, bot, self_referral: bot, ..off.clone() }.needs_row());
        assert!(ClickRules { duplicate_click: Action::Hold, ..off.clone() }.needs_row());
        assert!(ClickRules { data_centre: Action::Hold, ..off.clone() }.needs_row());
        let cool = ClickRules { ip_cool_down: Action::Reject, ip_cool_down_minutes: 2, ..off };
        assert!(cool.needs_row() && cool.cool_down_ms() == 120_000);
    }
}

//! Which payout rule applies to a conversion (design.md 5), and why that one.
//!
//! A rule applies if all its limits match. Of those that apply the most specific one is chosen,
//! in the order affiliate, coupon, lifetime, event, goal, country, general; then the lower number.
//! The order is lexicographic: rules are compared by their first limit of that list, and only
//! where both have it or both lack it by the next one. So a rule with one more limit always comes
//! before the same rule without it. If only the strongest limit counted, an affiliate's rule for
//! one goal (Tracknow's personal payout with a goal) would tie with her rule for everything, and
//! the lower number would leave one of the two without any effect.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use super::click_id::Country;
use super::configuration::Status;
use super::conversion::INITIAL;
use super::money::Rule;

/// What campaigns and events pay by themselves has this number, behind every payout rule's.
pub const OWN: u32 = u32::MAX;

/// To what a rule is limited. The fields stand in the order in which they outrank each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// To one affiliate (a personal rule).
    pub affiliate_id: Option<u32>,
    /// To conversions by one coupon; ASCII letters are compared without regard to case.
    pub coupon: Option<String>,
    /// To purchases of customers who belong to an affiliate for life.
    pub is_lifetime: bool,
    /// To one event, or with [`INITIAL`] to initial conversions.
    pub event_id: Option<u32>,
    /// To one goal, compared as bytes.
    pub goal: Option<String>,
    /// To clicks from these countries; empty for all. An unknown country is none of them.
    pub countries: Vec<Country>,
}

impl Limits {
    /// Whether all of them match a case.
    pub fn match_case(&self, case: &Traits<'_>) -> bool {
        let is_coupon = |own: &String| case.coupon.is_some_and(|c| c.eq_ignore_ascii_case(own));
        let is_country = || case.country.is_some_and(|country| self.countries.contains(&country));
        self.affiliate_id.is_none_or(|own| own == case.affiliate_id)
            && self.coupon.as_ref().is_none_or(is_coupon)
            && (!self.is_lifetime || case.is_lifetime)
            && self.event_id.is_none_or(|own| own == case.event_id)
            && self.goal.as_deref().is_none_or(|own| case.goal == Some(own))
            && (self.countries.is_empty() || is_country())
    }

    /// Which limits there are; of two rules the greater one is the more specific.
    pub fn specificity(&self) -> [bool; 6] {
        [
            self.affiliate_id.is_some(),
            self.coupon.is_some(),
            self.is_lifetime,
            self.event_id.is_some(),
            self.goal.is_some(),
            !self.countries.is_empty(),
        ]
    }
}

/// `affiliate 3, goal "shoes"`, or `everything`.
impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        let mut limit = |what: fmt::Arguments<'_>| {
            f.write_str(std::mem::replace(&mut separator, ", "))?;
            f.write_fmt(what)
        };
        if *self == Self::default() {
            return limit(format_args!("everything"));
        }
        if let Some(id) = self.affiliate_id {
            limit(format_args!("affiliate {id}"))?;
        }
        if let Some(code) = &self.coupon {
            limit(format_args!("coupon {code:?}"))?;
        }
        if self.is_lifetime {
            limit(format_args!("lifetime"))?;
        }
        match self.event_id {
            None => {}
            Some(INITIAL) => limit(format_args!("initial conversions"))?,
            Some(id) => limit(format_args!("event {id}"))?,
        }
        if let Some(goal) = &self.goal {
            limit(format_args!("goal {goal:?}"))?;
        }
        if !self.countries.is_empty() {
            let countries: Vec<_> = self.countries.iter().map(Country::as_str).collect();
            limit(format_args!("clicks from {}", countries.join(" ")))?;
        }
        Ok(())
    }
}

/// What a rule pays, and what the conversion starts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The fixed part and the percentage.
    pub rule: Rule,
    /// The most that it pays for one conversion, in minor units of the campaign's currency.
    pub max_minor: Option<i64>,
    /// What a conversion starts as, instead of the campaign's default.
    pub default_status: Option<Status>,
}

/// A payout rule of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutRule {
    /// Its number, or [`OWN`].
    pub id: u32,
    /// To what it is limited.
    pub limits: Limits,
    /// What it pays.
    pub terms: Terms,
}

/// `payout rule 7 (affiliate 3)`, or whose own rule it is.
impl fmt::Display for PayoutRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.id, self.limits.event_id) {
            (OWN, None) => f.write_str("the campaign's own rule"),
            (OWN, Some(event_id)) => write!(f, "event {event_id}'s own rule"),
            (id, _) => write!(f, "payout rule {id} ({})", self.limits),
        }
    }
}

/// What rules are matched against.
#[derive(Clone, Copy, Debug)]
pub struct Traits<'a> {
    /// Who is credited.
    pub affiliate_id: u32,
    /// The coupon that attributed the conversion; one that was merely sent is none.
    pub coupon: Option<&'a str>,
    /// Whether it is a purchase of a customer who belongs to the affiliate for life.
    pub is_lifetime: bool,
    /// The event, or [`INITIAL`].
    pub event_id: u32,
    /// The goal that was sent.
    pub goal: Option<&'a str>,
    /// The country of the click, where there is one.
    pub country: Option<Country>,
}

/// The rule that applies, and what it was preferred to.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// The rule that applies.
    pub rule: &'a PayoutRule,
    /// Those whose limits match as well, the most specific first.
    pub lost: Vec<&'a PayoutRule>,
    /// How many do not match.
    pub unmatched: usize,
}

/// Chooses the rule for a case; `None` if none matches.
pub fn choose<'a>(
    rules: impl IntoIterator<Item = &'a PayoutRule>,
    case: &Traits<'_>,
) -> Option<Choice<'a>> {
    let rank = |rule: &PayoutRule| (Reverse(rule.limits.specificity()), rule.id);
    let mut unmatched = 0;
    let mut matching: Vec<&PayoutRule> = Vec::new();
    for rule in rules {
        if rule.limits.match_case(case) {
            // Few match, so that inserting is as quick as sorting, and less code.
            let place = matching.partition_point(|other| rank(other) < rank(rule));
            matching.insert(place, rule);
        } else {
            unmatched += 1;
        }
    }
    let mut matching = matching.into_iter();
    Some(Choice { rule: matching.next()?, lost: matching.collect(), unmatched })
}

/// So many of those that lost are named in an explanation.
const MAX_NAMED: usize = 5;

impl Choice<'_> {
    /// Why this rule: which ones lost, the next in line first, and how many did not match.
    pub fn why(&self) -> String {
        let mut why = match self.lost.first() {
            None => "no other applies".to_owned(),
            Some(next) if next.limits.specificity() == self.rule.limits.specificity() => {
                "as specific as the next one, but with the lower number".to_owned()
            }
            Some(_) => format!("the most specific of {} that apply", self.lost.len() + 1),
        };
        // Writing to a string cannot fail.
        let mut say = |what: fmt::Arguments<'_>| why.write_fmt(what).unwrap_or_default();
        for (index, lost) in self.lost.iter().take(MAX_NAMED).enumerate() {
            say(format_args!("{}{lost}", if index == 0 { "; lost: " } else { ", " }));
        }
        let unnamed = self.lost.len().saturating_sub(MAX_NAMED);
        if unnamed > 0 {
            say(format_args!(" and {unnamed} more"));
        }
        if self.unmatched > 0 {
            say(format_args!("; not matching: {}", self.unmatched));
        }
        why
    }
}

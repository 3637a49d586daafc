//! What the campaign of the model pays, and how that is reckoned. The history sets up the same one.

use super::sale::{Sale, rounded};
use super::step::Edit;

/// So many cents and percent of the amount, or of the revenue.
#[derive(Clone, Copy, Debug)]
pub struct Pay {
    pub cents: i64,
    pub percent: i64,
    pub is_share: bool,
}

/// `Pay` of so many cents and percent of the amount.
pub const fn pay(cents: i64, percent: i64) -> Pay {
    Pay { cents, percent, is_share: false }
}

impl Pay {
    fn needs_amount(self) -> bool {
        self.percent > 0 && !self.is_share
    }

    fn of(self, base: i64) -> i64 {
        self.cents + rounded(base * self.percent, 100)
    }
}

/// A payout rule and its limits.
#[derive(Clone, Debug)]
pub struct Rule {
    pub affiliate: Option<u32>,
    pub event: Option<u32>,
    pub has_goal: bool,
    pub is_austrian: bool,
    pub pay: Pay,
    pub max: Option<i64>,
    pub status: Option<usize>,
    pub is_active: bool,
}

impl Rule {
    fn applies(&self, sale: &Sale) -> bool {
        self.is_active
            && self.affiliate.is_none_or(|affiliate| affiliate == sale.affiliate)
            && self.event.is_none_or(|event| event == sale.event)
            && (!self.has_goal || sale.has_goal)
            && (!self.is_austrian || sale.is_austrian)
    }

    /// How specific it is: each limit outweighs all that are named behind it.
    fn weight(&self) -> u32 {
        let limits = [
            (self.affiliate.is_some(), 8),
            (self.event.is_some(), 4),
            (self.has_goal, 2),
            (self.is_austrian, 1),
        ];
        limits.iter().filter(|(is, _)| *is).map(|(_, weight)| weight).sum()
    }
}

/// An event of the campaign.
#[derive(Clone, Debug)]
pub struct Event {
    pub revenue: Pay,
    pub payout: Pay,
    pub days: Option<u32>,
    pub is_active: bool,
}

/// A rate of exchange.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// A place among the currencies.
    pub currency: usize,
    /// From when on.
    pub since: u64,
    /// In ten-thousandths.
    pub rate: i64,
}

/// The campaign.
pub struct Terms {
    pub revenue: Pay,
    pub payout: Pay,
    pub events: [Event; 3],
    pub rules: Vec<Rule>,
    pub rates: Vec<Rate>,
    pub window_days: u32,
    /// 0 active, 1 paused, 2 archived.
    pub state: u8,
    pub is_per_order: bool,
    pub is_updating: bool,
    /// Mistakes: the lowest rule that applies, the oldest rate.
    pub is_lowest_rule_taken: bool,
    pub is_oldest_rate_taken: bool,
}

impl Terms {
    /// Those before any edit.
    pub fn new(first_rate: Rate) -> Self {
        let rule = |affiliate, event, has_goal, is_austrian, pay| Rule {
            affiliate,
            event,
            has_goal,
            is_austrian,
            pay,
            max: None,
            status: None,
            is_active: true,
        };
        let event = |revenue, payout| Event { revenue, payout, days: None, is_active: true };
        Self {
            revenue: pay(800, 0),
            payout: pay(500, 0),
            events: [
                event(pay(300, 0), pay(200, 0)),
                event(pay(0, 10), Pay { cents: 0, percent: 50, is_share: true }),
                event(pay(0, 0), pay(50, 0)),
            ],
            rules: vec![
                rule(None, None, true, false, pay(0, 8)),
                rule(Some(2), None, false, false, pay(750, 0)),
                rule(None, None, false, true, pay(300, 0)),
                Rule { max: Some(1_000), ..rule(Some(1), Some(2), false, false, pay(0, 25)) },
                Rule { status: Some(1), ..rule(Some(2), None, true, false, pay(1_200, 0)) },
            ],
            rates: vec![first_rate],
            window_days: 2,
            state: 0,
            is_per_order: false,
            is_updating: false,
            is_lowest_rule_taken: false,
            is_oldest_rate_taken: false,
        }
    }

    /// An event by its number.
    pub fn event(&mut self, number: u32) -> &mut Event {
        &mut self.events[number as usize - 1]
    }

    /// Takes an edit. A new rate counts from `since` on.
    pub fn edit(&mut self, edit: &Edit, since: u64) {
        match *edit {
            Edit::Payout(cents, percent) => self.payout = pay(cents.into(), percent.into()),
            Edit::Revenue(cents) => self.revenue = pay(cents.into(), 0),
            Edit::Window(days) => self.window_days = days,
            Edit::State(state) => self.state = state,
            Edit::Updates(is_updating) => self.is_updating = is_updating,
            Edit::PerOrder => self.is_per_order = true,
            Edit::EventPayout(event, cents) => self.event(event).payout.cents = cents.into(),
            Edit::EventWindow(event, days) => self.event(event).days = days,
            Edit::EventState(event, is_active) => self.event(event).is_active = is_active,
            Edit::Rule(rule, cents) => self.rules[rule].pay.cents = cents.into(),
            Edit::RuleState(rule, is_active) => self.rules[rule].is_active = is_active,
            Edit::Rate(rate) => self.rates[0].rate = rate.into(),
            Edit::NewRate(currency, rate, _) => {
                self.rates.push(Rate { currency, since, rate: rate.into() });
            }
        }
    }

    /// The rate into the campaign's currency at a time, in ten-thousandths; its own needs none.
    pub fn rate(&self, currency: usize, at: u64) -> Result<Option<i64>, &'static str> {
        if currency == 0 {
            return Ok(None);
        }
        let valid = self.rates.iter().filter(|rate| rate.currency == currency && rate.since <= at);
        let found = match self.is_oldest_rate_taken {
            true => valid.min_by_key(|rate| rate.since),
            false => valid.max_by_key(|rate| rate.since),
        };
        found.map(|found| Some(found.rate)).ok_or("no_exchange_rate")
    }

    /// What a sale pays, at most how much, and what it starts as.
    fn rule(&self, sale: &Sale) -> (Pay, Option<i64>, Option<usize>) {
        let (own, own_weight) = match sale.event {
            0 => (self.payout, 0),
            event => (self.events[event as usize - 1].payout, 4),
        };
        let mut best = (own_weight, (own, None, None));
        // From the last to the first, so that of equals the first stays.
        for rule in self.rules.iter().rev().filter(|rule| rule.applies(sale)) {
            if rule.weight() >= best.0 || self.is_lowest_rule_taken {
                best = (rule.weight(), (rule.pay, rule.max, rule.status));
            }
        }
        best.1
    }

    /// What a sale starts as, if its sender does not say.
    pub fn default_status(&self, sale: &Sale) -> usize {
        self.rule(sale).2.unwrap_or(0)
    }

    /// Reckons revenue and payout of a sale anew, by the rate that stands in it.
    pub fn reckon(&self, sale: &mut Sale) -> Result<(), &'static str> {
        let revenue = match sale.event {
            0 => self.revenue,
            event => self.events[event as usize - 1].revenue,
        };
        let (payout, max, _) = self.rule(sale);
        if sale.milli.is_none() {
            // Nothing was converted.
            sale.rate = None;
            if revenue.needs_amount() || payout.needs_amount() {
                return Err("missing_parameter");
            }
        }
        let milli = i64::from(sale.milli.unwrap_or(0));
        let base = rounded(milli * sale.rate.unwrap_or(10_000), 100_000);
        let earned = revenue.of(base);
        let paid = payout.of(if payout.is_share { earned } else { base });
        sale.whole = [earned, max.map_or(paid, |max| paid.min(max))];
        Ok(())
    }
}

//! The ledger as it should be: what each request, edit and judging again makes of it.

use std::collections::BTreeMap;

use super::sale::Sale;
use super::step::{Edit, REFUNDED, STATUSES, Sent};
use super::terms::{Event, Rate, Terms};

const DAY_MS: u64 = 86_400_000;

/// Within so long the same request without an order is the same event.
const SAME_REQUEST_MS: u64 = 600_000;

/// A mistake built into the model, to see that histories find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    None,
    RepeatsCount,
    RefundsTakeNothing,
    RefundsMayExceed,
    WindowIsIgnored,
    LowestRuleApplies,
    OldestRateApplies,
    EventsNeedNothing,
    JudgedAgainAsOfNow,
    JudgedAgainAndLost,
    LateRepeatsUndo,
    EditsReachThePast,
    ArchivedTakesOn,
}

impl Flaw {
    /// All but none.
    pub const ALL: [Self; 12] = [
        Self::RepeatsCount,
        Self::RefundsTakeNothing,
        Self::RefundsMayExceed,
        Self::WindowIsIgnored,
        Self::LowestRuleApplies,
        Self::OldestRateApplies,
        Self::EventsNeedNothing,
        Self::JudgedAgainAsOfNow,
        Self::JudgedAgainAndLost,
        Self::LateRepeatsUndo,
        Self::EditsReachThePast,
        Self::ArchivedTakesOn,
    ];
}

#[derive(Clone, Debug)]
pub struct Click {
    pub at: u64,
    pub affiliate: u32,
    pub is_austrian: bool,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub sent: Sent,
    pub at: u64,
    /// Why it is refused, as long as it is.
    pub refused: Option<&'static str>,
}

/// What a request is answered, about which sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Recorded(usize),
    Updated(usize),
    Duplicate(usize),
    Refused(&'static str),
}

/// The model.
pub struct Model {
    flaw: Flaw,
    /// What the campaign pays now.
    pub terms: Terms,
    pub clicks: Vec<Click>,
    pub requests: Vec<Request>,
    pub sales: Vec<Sale>,
}

impl Model {
    /// An empty ledger, with a mistake in how it is kept.
    pub fn new(flaw: Flaw, first_rate: Rate) -> Self {
        let terms = Terms {
            is_lowest_rule_taken: flaw == Flaw::LowestRuleApplies,
            is_oldest_rate_taken: flaw == Flaw::OldestRateApplies,
            ..Terms::new(first_rate)
        };
        Self { flaw, terms, clicks: Vec::new(), requests: Vec::new(), sales: Vec::new() }
    }

    /// Takes an edit. A new rate counts from `since` on.
    pub fn edits(&mut self, edit: &Edit, since: u64) {
        self.terms.edit(edit, since);
        if let (Edit::Payout(cents, _), Flaw::EditsReachThePast) = (edit, self.flaw) {
            self.sales.iter_mut().for_each(|sale| sale.whole[1] = i64::from(*cents));
        }
    }

    /// A request arrives.
    pub fn hears(&mut self, sent: Sent, at: u64) -> Answer {
        self.requests.push(Request { sent, at, refused: None });
        self.judges(self.requests.len() - 1, at)
    }

    fn judges(&mut self, request: usize, at: u64) -> Answer {
        let sent = self.requests[request].sent.clone();
        let answer = self.decides(request, &sent, at).unwrap_or_else(Answer::Refused);
        self.requests[request].refused = match answer {
            Answer::Refused(reason) => Some(reason),
            _ => None,
        };
        answer
    }

    /// Judges what is refused again, for this reason or all of it; the answers in their order.
    pub fn judges_again(&mut self, reason: Option<&str>, now: u64) -> Vec<Answer> {
        let is_meant = |request: &Request| {
            request.refused.is_some_and(|refused| reason.is_none_or(|reason| reason == refused))
        };
        let meant: Vec<usize> =
            (0..self.requests.len()).filter(|request| is_meant(&self.requests[*request])).collect();
        let mut answers = Vec::new();
        for request in meant {
            let is_now = self.flaw == Flaw::JudgedAgainAsOfNow;
            let at = if is_now { now } else { self.requests[request].at };
            let answer = self.judges(request, at);
            if self.flaw == Flaw::JudgedAgainAndLost && matches!(answer, Answer::Recorded(_)) {
                self.sales.pop();
            }
            answers.push(answer);
        }
        answers
    }

    fn decides(&mut self, request: usize, sent: &Sent, at: u64) -> Result<Answer, &'static str> {
        if let Some(known) = self.known(sent, at).filter(|_| self.flaw != Flaw::RepeatsCount) {
            return self.repeats(known, sent);
        }
        let is_refund = sent.status == Some(REFUNDED);
        match (is_refund, sent.order) {
            (true, Some(_)) => return Err("unknown_order"),
            (true, None) => return Err("unknown_click"),
            (false, Some(_)) => {}
            (false, None) if sent.event == 2 || sent.event == 0 && self.terms.is_per_order => {
                return Err("missing_parameter");
            }
            (false, None) => {}
        }
        match sent.event {
            0 => self.is_recent(sent.click, at)?,
            event => self.follows_a_conversion(sent.click, event, at)?,
        }
        if self.terms.state == 2 && self.flaw != Flaw::ArchivedTakesOn {
            return Err("campaign_archived");
        }
        let Click { affiliate, is_austrian, .. } = self.clicks[sent.click];
        let mut sale = Sale {
            request,
            at,
            click: sent.click,
            event: sent.event,
            order: sent.order,
            affiliate,
            is_austrian,
            has_goal: sent.has_goal,
            status: 0,
            whole: [0; 2],
            milli: sent.milli,
            currency: sent.currency.unwrap_or(0),
            rate: None,
            parts: Vec::new(),
            first: (0, [0; 2]),
            is_operators: false,
            heard: vec![sent.clone()],
            changes: 0,
        };
        sale.status = sent.status.unwrap_or_else(|| self.terms.default_status(&sale));
        sale.rate = self.terms.rate(sale.currency, at)?;
        self.terms.reckon(&mut sale)?;
        sale.first = (sale.status, sale.whole);
        self.sales.push(sale);
        Ok(Answer::Recorded(self.sales.len() - 1))
    }

    fn is_recent(&self, click: usize, at: u64) -> Result<(), &'static str> {
        let age = at - self.clicks[click].at;
        let is_recent = age <= u64::from(self.terms.window_days) * DAY_MS;
        let is_taken = is_recent || self.flaw == Flaw::WindowIsIgnored;
        is_taken.then_some(()).ok_or("expired_click")
    }

    /// An event needs a conversion of its click that is neither rejected nor refunded.
    fn follows_a_conversion(&self, click: usize, event: u32, at: u64) -> Result<(), &'static str> {
        let Event { days, is_active, .. } = self.terms.events[event as usize - 1];
        if !is_active {
            return Err("unknown_event");
        }
        let stands = |sale: &&Sale| sale.event == 0 && sale.click == click && sale.status < 3;
        let newest = self.sales.iter().filter(stands).map(|sale| sale.at).max();
        let is_recent = |since: u64| {
            days.is_none_or(|days| at.saturating_sub(since) <= u64::from(days) * DAY_MS)
        };
        let follows = newest.is_some_and(is_recent) || self.flaw == Flaw::EventsNeedNothing;
        follows.then_some(()).ok_or("no_conversion_for_event")
    }

    /// The sale that a request is about.
    fn known(&self, sent: &Sent, at: u64) -> Option<usize> {
        let of = |test: &dyn Fn(&Sale) -> bool| {
            self.sales.iter().position(|sale| sale.event == sent.event && test(sale))
        };
        if sent.event == 3 {
            return of(&|sale| sale.heard[0] == *sent && sale.at.abs_diff(at) <= SAME_REQUEST_MS);
        }
        let is_once = sent.event == 1 || sent.event == 0 && !self.terms.is_per_order;
        let of_click = if is_once { of(&|sale| sale.click == sent.click) } else { None };
        of_click.or_else(|| of(&|sale| sent.order.is_some() && sale.order == sent.order))
    }

    fn repeats(&mut self, known: usize, sent: &Sent) -> Result<Answer, &'static str> {
        let before = &self.sales[known];
        let is_refund = sent.status == Some(REFUNDED);
        if sent.order.is_some() && sent.order != before.order {
            return Err(match (is_refund, sent.event) {
                (true, _) => "unknown_order",
                (false, 0) => "repeated_conversion",
                (false, _) => "repeated_event",
            });
        }
        let has_other_click = sent.click != before.click;
        let has_other_amount = !is_refund && sent.milli.is_some() && sent.milli != before.milli;
        let has_other_currency = sent.currency.is_some_and(|sent| sent != before.currency);
        let mut after = before.clone();
        if has_other_click || has_other_amount || has_other_currency {
            let is_fixed = has_other_click || is_refund || before.status == REFUNDED;
            if is_fixed || !self.terms.is_updating {
                return Err("conflict");
            }
            self.updates(&mut after, sent)?;
        }
        match sent.status {
            Some(REFUNDED) => {
                let cents = sent.milli.map(|milli| i64::from(milli) / 10);
                after.refund(sent.refund_id, cents, self.flaw == Flaw::RefundsMayExceed)?;
            }
            Some(status) => after.becomes(status, false)?,
            None => {}
        }
        // A late repeat does not undo what an operator did.
        let is_old = before.is_operators && before.heard.contains(sent);
        if after == *before || is_old && self.flaw != Flaw::LateRepeatsUndo {
            return Ok(Answer::Duplicate(known));
        }
        after.is_operators = false;
        after.heard.push(sent.clone());
        after.changes += 1;
        self.sales[known] = after;
        Ok(Answer::Updated(known))
    }

    /// Other money is reported for a sale.
    fn updates(&self, sale: &mut Sale, sent: &Sent) -> Result<(), &'static str> {
        let currency = sent.currency.unwrap_or(sale.currency);
        if currency != sale.currency || sale.rate.is_none() {
            sale.rate = self.terms.rate(currency, sale.at)?;
        }
        sale.currency = currency;
        sale.milli = sent.milli.or(sale.milli);
        let had_goal = sale.has_goal;
        sale.has_goal |= sent.has_goal;
        self.terms.reckon(sale)?;
        sale.has_goal = had_goal;
        let is_too_much = !sale.parts.is_empty() && sale.refunded() >= sale.amount().unwrap_or(0);
        if is_too_much { Err("refund_too_large") } else { Ok(()) }
    }

    /// An operator changes a sale; says whether that was taken.
    pub fn operates(
        &mut self,
        sale: usize,
        status: usize,
        refund_id: Option<u8>,
        cents: Option<u32>,
    ) -> Result<(), &'static str> {
        let mut after = self.sales[sale].clone();
        if status == REFUNDED {
            let may_exceed = self.flaw == Flaw::RefundsMayExceed;
            after.refund(refund_id, cents.map(i64::from), may_exceed)?;
        } else {
            after.becomes(status, true)?;
        }
        if after != self.sales[sale] {
            after.is_operators = true;
            after.changes += 1;
            self.sales[sale] = after;
        }
        Ok(())
    }

    /// How many conversions of each affiliate and status there are, with revenue and payout.
    pub fn sums(&self) -> BTreeMap<(u64, String), (u64, i64, i64)> {
        let mut sums = BTreeMap::new();
        for sale in &self.sales {
            let key = (u64::from(sale.affiliate), STATUSES[sale.status].to_owned());
            let [revenue, payout] = match self.flaw {
                Flaw::RefundsTakeNothing => sale.whole,
                _ => sale.money(),
            };
            let sum: &mut (u64, i64, i64) = sums.entry(key).or_default();
            *sum = (sum.0 + 1, sum.1 + revenue, sum.2 + payout);
        }
        sums
    }
}

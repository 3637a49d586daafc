//! Random histories of a whole ledger against a small model that shares nothing with the code:
//! clicks, postbacks, events, repeats in any order, statuses, refunds in parts and in whole, edits
//! of everything that decides, and refused requests judged again.
//!
//! **What must hold:** every answer is the model's, with its status and its money; afterwards the
//! conversions are the model's, no fewer and no more, and nothing is paid twice; sums of the rows,
//! as the API lists them, are the model's sums; every change has its line in the audit trail; what
//! is refused still is refused for the model's reason.

mod controls;
mod holds;
mod model;
mod sale;
mod step;
mod terms;

use std::collections::BTreeMap;

use backtrail::domain::time::Timestamp;
use backtrail::http::request::Headers;
use backtrail::http::request::Method::{Patch, Post};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::shop::{TOKEN, id_in, person, server, text};
use crate::support::world::BEGINNING_MS;
use crate::support::{Shop, World};
use model::{Answer, Click, Flaw, Model};
use step::{CURRENCIES, Edit, REASONS, REFUNDED, STATUSES, Sent, Step, steps};
use terms::{Pay, Rate};

/// When the first rate of EUR begins.
const LONG_AGO_MS: u64 = BEGINNING_MS - 300 * 86_400_000;

const HOUR_MS: u64 = 3_600_000;

/// An edit is in force everywhere after so long.
const IN_FORCE_MS: u64 = 30_001;

/// `1234` with two digits behind the point is `12.34`.
fn decimal(units: i64, digits: u32) -> String {
    let one = 10i64.pow(digits);
    format!("{}.{:0width$}", units / one, units % one, width = digits as usize)
}

/// The cents of a price in an answer.
fn cents(price: &Value) -> i64 {
    price["amount"].as_str().unwrap().replace('.', "").parse().unwrap()
}

fn pays(prefix: &str, pay: Pay) -> Value {
    let kind = if pay.is_share { "revshare" } else { "cps" };
    json!({
        format!("{prefix}_type"): kind,
        format!("{prefix}_fixed"): decimal(pay.cents, 2),
        format!("{prefix}_percent"): pay.percent.to_string(),
    })
}

fn joined(parts: &[Value]) -> Value {
    let all = parts.iter().flat_map(|part| part.as_object().unwrap().clone());
    Value::Object(all.collect())
}

struct History<'w> {
    shop: Shop<'w>,
    model: Model,
    /// The click_id of each click.
    click_ids: Vec<String>,
    /// The request_id of each request.
    request_ids: Vec<String>,
}

impl<'w> History<'w> {
    fn new(world: &'w World, flaw: Flaw) -> Self {
        let first_rate = Rate { currency: 1, since: LONG_AGO_MS, rate: 11_000 };
        let model = Model::new(flaw, first_rate);
        let terms = &model.terms;
        let own = [pays("revenue", terms.revenue), pays("payout", terms.payout)];
        let shop = Shop::with(world, joined(&[json!({ "window_days": 2 }), joined(&own)]));
        let names = ["renewal", "deposit", "level"].into_iter();
        let repeats = ["once", "per_order", "every_request"];
        for ((event, name), repeat) in terms.events.iter().zip(names).zip(repeats) {
            let named = json!({ "campaign_id": 1, "name": name, "repeat": repeat });
            let event = [named, pays("revenue", event.revenue), pays("payout", event.payout)];
            shop.operator.creates("events", joined(&event));
        }
        for rule in &terms.rules {
            let limits = json!({
                "campaign_id": 1,
                "affiliate_id": rule.affiliate,
                "event_id": rule.event,
                "goal": rule.has_goal.then_some("g"),
                "countries": if rule.is_austrian { vec!["AT"] } else { vec![] },
                "payout_max": rule.max.map(|max| decimal(max, 2)),
                "default_status": rule.status.map(|status| STATUSES[status]),
            });
            shop.operator.creates("payouts", joined(&[limits, pays("payout", rule.pay)]));
        }
        let mut history = Self { shop, model, click_ids: Vec::new(), request_ids: Vec::new() };
        history.adds_rate(first_rate);
        world.waits_ms(IN_FORCE_MS);
        // Somebody has clicked already, or most histories would begin with nothing.
        history.clicks(1, false).and_then(|()| history.clicks(2, true)).unwrap();
        history
    }

    fn world(&self) -> &'w World {
        self.shop.world()
    }

    fn adds_rate(&self, rate: Rate) {
        let rate = json!({
            "from_currency": CURRENCIES[rate.currency], "to_currency": "USD",
            "rate": decimal(rate.rate, 4), "valid_from": Timestamp::from_ms(rate.since).to_rfc3339(),
        });
        self.shop.operator.creates("rates", rate);
    }

    /// Takes a step in the world and in the model, and says where they differ.
    fn run(&mut self, step: &Step) -> Result<(), String> {
        self.world().waits_ms(1);
        let now = self.world().now().ms();
        match step {
            Step::Click { link, is_austrian } => self.clicks(*link, *is_austrian),
            Step::Send(sent) => match self.click_ids.len() {
                0 => Ok(()),
                clicks => self.sends(Sent { click: sent.click % clicks, ..sent.clone() }),
            },
            Step::Again(request) => match self.request_ids.len() {
                0 => Ok(()),
                sent => self.sends(self.model.requests[request % sent].sent.clone()),
            },
            Step::Operate { sale, status, refund_id, cents } => match self.model.sales.len() {
                0 => Ok(()),
                sales => self.operates(sale % sales, *status, *refund_id, *cents),
            },
            Step::Edit(edit) => {
                self.edits(edit, now);
                Ok(())
            }
            Step::Wait(hours) => {
                self.world().waits_ms(u64::from(*hours) * HOUR_MS);
                Ok(())
            }
            Step::JudgeAgain(reason) => {
                self.judges_again(reason.map(|reason| REASONS[reason]), now)
            }
        }
    }

    fn clicks(&mut self, link: u32, is_austrian: bool) -> Result<(), String> {
        let country = if is_austrian { "AT" } else { "DE" };
        let headers = Headers { country, ..person() };
        let response = self.shop.visits_with(headers, &format!("/click?ref_id={link}"));
        let is_taken = response.status == 302;
        if is_taken != (self.model.terms.state == 0) {
            return Err(format!("a click is answered {}", response.status));
        }
        if is_taken {
            self.click_ids.push(id_in(response.header("location").unwrap()));
            let at = self.world().now().ms();
            self.model.clicks.push(Click { at, affiliate: link, is_austrian });
        }
        Ok(())
    }

    fn query(&self, sent: &Sent) -> String {
        let mut query = format!("click_id={}", self.click_ids[sent.click]);
        let mut add = |name: &str, value: Option<String>| {
            query.extend(value.map(|value| format!("&{name}={value}")));
        };
        add("event_id", Some(sent.event.to_string()).filter(|_| sent.event > 0));
        add("order_id", sent.order.map(|order| format!("O{order}")));
        add("amount", sent.milli.map(|milli| decimal(milli.into(), 3)));
        add("currency", sent.currency.map(|currency| CURRENCIES[currency].to_owned()));
        add("goal", sent.has_goal.then(|| "g".to_owned()));
        add("status", sent.status.map(|status| STATUSES[status].to_owned()));
        add("refund_id", sent.refund_id.map(|id| format!("r{id}")));
        query
    }

    fn sends(&mut self, sent: Sent) -> Result<(), String> {
        let query = format!("{}&token={TOKEN}", self.query(&sent));
        let response = match self.request_ids.len() % 2 {
            0 => self.shop.asks_with(server(), &query),
            _ => {
                self.shop.posts("/postback", "application/x-www-form-urlencoded", query.as_bytes())
            }
        };
        let body: Value = serde_json::from_str(text(&response)).unwrap();
        self.request_ids.push(body["request_id"].as_str().unwrap().to_owned());
        let answer = self.model.hears(sent, self.world().now().ms());
        let expected = self.expected(answer);
        let differs = |(name, value): (&String, &Value)| match name.as_str() {
            "revenue" | "payout" => value.as_i64() != Some(cents(&body[name])),
            _ => body[name] != *value,
        };
        if expected.as_object().unwrap().iter().any(differs) {
            return Err(format!("{query} is {body}, not {expected}"));
        }
        Ok(())
    }

    /// The parts of an answer, with money in cents.
    fn expected(&self, answer: Answer) -> Value {
        let of = |verdict: &str, status: usize, [revenue, payout]: [i64; 2]| json!({ "verdict": verdict, "reason": null, "status": STATUSES[status], "revenue": revenue, "payout": payout });
        match answer {
            Answer::Refused(reason) => json!({ "verdict": "rejected", "reason": reason }),
            Answer::Recorded(sale) => {
                let (status, money) = self.model.sales[sale].first;
                of("recorded", status, money)
            }
            Answer::Duplicate(sale) => {
                let sale = &self.model.sales[sale];
                let now = json!({ "current_status": STATUSES[sale.status] });
                joined(&[of("duplicate", sale.first.0, sale.first.1), now])
            }
            Answer::Updated(sale) => {
                let sale = &self.model.sales[sale];
                of("updated", sale.status, sale.money())
            }
        }
    }

    fn operates(
        &mut self,
        sale: usize,
        status: usize,
        refund_id: Option<u8>,
        cents: Option<u32>,
    ) -> Result<(), String> {
        let request_id = &self.request_ids[self.model.sales[sale].request];
        let sql =
            format!("SELECT conversion_id FROM conversions WHERE request_id = '{request_id}'");
        let found = self.shop.rows(&sql);
        let [row] = &found[..] else { return Err(format!("{} of {request_id}", found.len())) };
        let mut body = json!({ "status": STATUSES[status] });
        if status == REFUNDED {
            body["refund_id"] = refund_id.map(|id| format!("r{id}")).into();
            body["amount"] = cents.map(|cents| decimal(cents.into(), 2)).into();
        }
        let path = format!("conversions/{}", row["conversion_id"].as_str().unwrap());
        let response = self.shop.operator.sends(Patch, &path, Some(body.clone()), "");
        let told: Value = serde_json::from_str(text(&response)).unwrap();
        let expected = self.model.operates(sale, status, refund_id, cents);
        let found = if response.status == 200 { Ok(()) } else { Err(&told["code"]) };
        if found.map_err(|code| code.as_str().unwrap_or_default()) != expected {
            return Err(format!("{body} is {told}, not {expected:?}"));
        }
        Ok(())
    }

    fn edits(&mut self, edit: &Edit, now: u64) {
        let operator = &self.shop.operator;
        let money = |cents: u32| decimal(cents.into(), 2);
        let campaign = |changes: Value| drop(operator.changes("campaigns/1", changes));
        let event =
            |id: u32, changes: Value| drop(operator.changes(&format!("events/{id}"), changes));
        let rule = |place: usize, changes| {
            drop(operator.changes(&format!("payouts/{}", place + 1), changes))
        };
        let state =
            |is_active: bool| json!({ "state": if is_active { "active" } else { "archived" } });
        let mut since = now;
        match *edit {
            Edit::Payout(cents, percent) => campaign(
                json!({ "payout_fixed": money(cents), "payout_percent": percent.to_string() }),
            ),
            Edit::Revenue(cents) => {
                campaign(json!({ "revenue_fixed": money(cents), "revenue_percent": "0" }))
            }
            Edit::Window(days) => campaign(json!({ "window_days": days })),
            Edit::State(state) => {
                let state = ["active", "paused", "archived"][usize::from(state)];
                campaign(json!({ "state": state }));
            }
            Edit::Updates(updates) => campaign(json!({ "is_conflict_updated": updates })),
            Edit::PerOrder => campaign(json!({ "conversions_per_click": "per_order" })),
            Edit::EventPayout(id, cents) => event(id, json!({ "payout_fixed": money(cents) })),
            Edit::EventWindow(id, days) => event(id, json!({ "window_days": days })),
            Edit::EventState(id, is_active) => event(id, state(is_active)),
            Edit::Rule(place, cents) => rule(place, json!({ "payout_fixed": money(cents) })),
            Edit::RuleState(place, is_active) => rule(place, state(is_active)),
            Edit::Rate(rate) => {
                operator.changes("rates/1", json!({ "rate": decimal(rate.into(), 4) }));
            }
            Edit::NewRate(currency, rate, is_old) => {
                // Each begins at a time of its own.
                since = if is_old { LONG_AGO_MS + now - BEGINNING_MS } else { now };
                self.adds_rate(Rate { currency, since, rate: rate.into() });
            }
        }
        self.model.edits(edit, since);
        self.world().waits_ms(IN_FORCE_MS);
    }

    fn judges_again(&mut self, reason: Option<&str>, now: u64) -> Result<(), String> {
        let mut body = json!({ "reason": reason });
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let answer =
                self.shop.operator.calls(Post, "inbox/judge-again", Some(body.clone()), 200);
            for (verdict, count) in answer["verdicts"].as_object().unwrap() {
                *found.entry(verdict.clone()).or_default() += count.as_u64().unwrap();
            }
            if answer["next_cursor"].is_null() {
                break;
            }
            body["cursor"] = answer["next_cursor"].clone();
        }
        let mut expected: BTreeMap<String, u64> =
            found.keys().map(|verdict| (verdict.clone(), 0)).collect();
        for answer in self.model.judges_again(reason, now) {
            let verdict = match answer {
                Answer::Recorded(_) => "recorded",
                Answer::Updated(_) => "updated",
                Answer::Duplicate(_) => "duplicate",
                Answer::Refused(_) => "rejected",
            };
            *expected.entry(verdict.to_owned()).or_default() += 1;
        }
        if found == expected {
            Ok(())
        } else {
            Err(format!("judged again {found:?}, not {expected:?}"))
        }
    }
}

/// Runs a history, and says where world and model differ.
fn run(steps: &[Step], flaw: Flaw) -> Result<(), String> {
    let world = World::new();
    let mut history = History::new(&world, flaw);
    for step in steps {
        history.run(step).map_err(|what| format!("{step:?}: {what}"))?;
    }
    history.holds()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_a_ledger_it_is_the_models(steps in steps()) {
        if let Err(what) = run(&steps, Flaw::None) {
            prop_assert!(false, "{what}");
        }
    }
}

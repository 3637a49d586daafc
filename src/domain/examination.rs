//! Examining a recorded conversion by its click's row, when that has arrived: what the rules find
//! in it, and what that changes. The reply never waits for it.

use super::click_rules::{Action, ClickRule, ClickRules, Found, decisive, in_words, reason};
use super::configuration::{Campaign, Link, Status};
use super::conversion::Conversion;
use super::data_centres::is_data_centre;
use super::judgement::quality::RULE;
use super::refund::Request;
use super::time::{MINUTE_MS, Timestamp};
use super::transition::{Author, Change, Wish, change};

/// How long the row of a click is waited for, besides the wait of its page: ten runs of the cron
/// job that writes what was kept aside.
const PATIENCE_MS: u64 = 10 * MINUTE_MS;

/// Whether a new conversion is to be examined: a rule that needs the row is on, its click is what it
/// is credited by, and the status leaves something to stop. A test is paid to nobody and stops nobody. `link` is that of the click that was
/// sent; a coupon or customer may credit somebody else.
pub fn is_doubtful(campaign: &Campaign, conversion: &Conversion, link: Option<Link>) -> bool {
    campaign.click_rules.needs_row()
        && !conversion.is_test
        && link.is_none_or(|link| is_credited(&link, conversion.ref_id, conversion.affiliate_id))
        && conversion.click_id.is_some()
        && conversion.clicked_at.is_some()
        && can_be_stopped(conversion.status)
}

/// Whether what is credited is the link of a click.
pub fn is_credited(link: &Link, ref_id: u32, affiliate_id: u32) -> bool {
    link.id == ref_id && link.affiliate_id == affiliate_id
}

/// When a conversion must have been reported for its click's row to be given up `now`.
pub fn given_up(now: Timestamp, page_wait_ms: u64) -> Timestamp {
    Timestamp::from_ms(now.ms().saturating_sub(PATIENCE_MS + page_wait_ms))
}

/// What is kept of a click for the rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// An earlier click of the same visitor on the same campaign and day.
    pub earlier_click: Option<String>,
    /// The number of the click's network.
    pub asn: Option<u32>,
}

/// A conversion that is to be examined, as it is stored.
#[derive(Clone, Debug)]
pub struct Doubted {
    /// The conversion.
    pub conversion: Conversion,
    /// What its click's row says; `None` while there is no row.
    pub traces: Option<Traces>,
    /// Other conversions from the same address, of other clicks, within the cool-down, whose
    /// examination has begun; ones that the cool-down stopped are none.
    pub neighbours: Vec<String>,
    /// Whether an operator has ever decided about it.
    pub has_operator: bool,
}

/// What an examination found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// In words.
    pub words: String,
    /// What it changes.
    pub change: Option<Change>,
    /// Whether the cool-down stopped the conversion, so that it stops no other.
    pub is_cooled: bool,
}

/// Examines conversions of a namespace; one whose click's row may still come is left out. `rules`
/// gives those of a campaign, `given_up` is the time before which rows are waited for no more, and
/// `request_id` names the examination.
///
/// Of neighbours that are examined together, the first stands; they come as they were reported.
pub fn examine<'r>(
    doubted: Vec<Doubted>,
    rules: impl Fn(u32) -> Option<&'r ClickRules>,
    given_up: Timestamp,
    request_id: &str,
) -> Vec<(Doubted, Finding)> {
    // Those that are yet to be examined, and those that are stopped, are nobody's neighbours.
    let mut are_none: Vec<String> =
        doubted.iter().map(|d| d.conversion.conversion_id.clone()).collect();
    let mut findings = Vec::new();
    for doubted in doubted {
        let Some(rules) = rules(doubted.conversion.campaign_id) else { continue };
        let neighbour = doubted.neighbours.iter().find(|id| !are_none.contains(id));
        let finding = examine_one(rules, &doubted, neighbour, given_up, request_id);
        if !finding.as_ref().is_some_and(|finding| finding.is_cooled) {
            are_none.retain(|id| *id != doubted.conversion.conversion_id);
        }
        findings.extend(finding.map(|finding| (doubted, finding)));
    }
    findings
}

fn examine_one(
    rules: &ClickRules,
    doubted: &Doubted,
    neighbour: Option<&String>,
    given_up: Timestamp,
    request_id: &str,
) -> Option<Finding> {
    let known = &doubted.conversion;
    let Some(traces) = &doubted.traces else {
        return (known.received_at <= given_up).then(|| Finding {
            words: format!(
                "given up: the click's row did not arrive within {} minutes, so that its rules found nothing",
                PATIENCE_MS / MINUTE_MS
            ),
            change: None,
            is_cooled: false,
        });
    };
    let all = applying(rules, traces, neighbour);
    let Some(decisive) = decisive(&all) else {
        return Some(Finding { words: nothing(rules, traces), change: None, is_cooled: false });
    };
    let change = if doubted.has_operator { None } else { stop(known, decisive, &all, request_id) };
    let is_cooled = change.is_some() && all.iter().any(|f| f.rule == ClickRule::IpCoolDown);
    let remark = match (&change, doubted.has_operator) {
        (Some(_), _) => "",
        (None, true) => "; nothing was changed, because an operator has decided meanwhile",
        (None, false) => "; nothing was left to change",
    };
    let words = format!("found {}{remark}", in_words(&all));
    Some(Finding { words, change, is_cooled })
}

fn applying(rules: &ClickRules, traces: &Traces, neighbour: Option<&String>) -> Vec<Found> {
    let mut all = Vec::new();
    let mut add = |rule, action, why: String| all.push(Found { rule, action, why });
    if let Some(earlier) = traces.earlier_click.as_ref().filter(|_| rules.duplicate_click.is_on()) {
        let why = format!("the same visitor had clicked before on that day, as click {earlier}");
        add(ClickRule::DuplicateClick, rules.duplicate_click, why);
    }
    if let Some(other) = neighbour.filter(|_| rules.ip_cool_down.is_on()) {
        let minutes = rules.ip_cool_down_minutes;
        let why = format!("conversion {other} came from the same address within {minutes} minutes");
        add(ClickRule::IpCoolDown, rules.ip_cool_down, why);
    }
    if let Some(asn) = traces.asn.filter(|_| rules.data_centre.is_on())
        && (is_data_centre(asn) || rules.data_centre_networks.contains(&asn))
    {
        let why = format!("the click came out of AS{asn}, a network of data centres");
        add(ClickRule::DataCentre, rules.data_centre, why);
    }
    all
}

/// That nothing was found, by which rules, and what they could not know.
fn nothing(rules: &ClickRules, traces: &Traces) -> String {
    let mut names = Vec::new();
    let on = [
        (ClickRule::DuplicateClick, rules.duplicate_click),
        (ClickRule::IpCoolDown, rules.ip_cool_down),
        (ClickRule::DataCentre, rules.data_centre),
    ];
    names.extend(on.iter().filter(|(_, action)| action.is_on()).map(|(rule, _)| rule.as_str()));
    if names.is_empty() {
        return "found nothing: the rules have been switched off meanwhile".to_owned();
    }
    let unknown = if rules.data_centre.is_on() && traces.asn.is_none() {
        " (the click's network is not known)"
    } else {
        ""
    };
    format!("found nothing by {}{unknown}", names.join(", "))
}

fn can_be_stopped(status: Status) -> bool {
    matches!(status, Status::Approved | Status::Pending | Status::Hold)
}

/// The change that a rule makes, if it changes anything.
fn stop(known: &Conversion, decisive: &Found, all: &[Found], request_id: &str) -> Option<Change> {
    let status = match decisive.action {
        Action::Reject => Status::Rejected,
        _ => Status::Hold,
    };
    if !can_be_stopped(known.status) {
        return None;
    }
    let reason = reason(decisive);
    let wish = Wish {
        status,
        reason: Some(&reason),
        is_reason_replaced: false,
        refund: Request::default(),
    };
    // Everything that can be stopped may go to either status, or has it already.
    let mut change = change(known, &wish, Author::Rule, request_id).ok().flatten()?;
    let said = known.explanation.iter().find(|(what, _)| *what == RULE);
    let words = said.into_iter().map(|(_, why)| why.clone()).chain([in_words(all)]);
    change.after.explain(RULE, words.collect::<Vec<_>>().join("; "));
    Some(change)
}

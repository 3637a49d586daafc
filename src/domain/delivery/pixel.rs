//! What becomes of a pixel that waits when its visitor reports something.

use super::filled::Filled;
use super::values::IS_TEST;
use super::{State, Values};
use crate::domain::connector::pixel::Pixel;
use crate::domain::connector::{Matching, Mode};
use crate::domain::time::Timestamp;
use crate::domain::touch::{Match, Touch, find_match};

/// So much of a pixel stands in the log.
const MAX_SHOWN: usize = 4_000;

/// A pixel that waits, beside its connector as it is now.
#[derive(Clone, Debug, PartialEq)]
pub struct WaitingPixel {
    /// The delivery's name.
    pub delivery_id: String,
    /// The event's name.
    pub event_name: String,
    /// When it happened.
    pub happened_at: Timestamp,
    /// When the delivery was written.
    pub created_at: Timestamp,
    /// Backtrail's click.
    pub click_id: Option<String>,
    /// Whether it fires although its connector is in test mode.
    pub is_forced: bool,
    /// What was known when it happened.
    pub values: Values,
    /// The same, personal values.
    pub personal: Values,
    /// Whether the connector sends.
    pub mode: Mode,
    /// The pixel's JSON.
    pub pixel: String,
    /// The JSON of its approval.
    pub approval: Option<String>,
    /// How the connector recognises its visitors.
    pub matching: Option<Matching>,
    /// When this visitor first brought the click; `None` for who reported the event itself.
    pub brought_at: Option<Timestamp>,
}

/// What is known of the visitor, and what all connectors ask for.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// How connectors of the namespace recognise their visitors.
    pub all: &'a [Matching],
    /// The visitor's touches.
    pub touches: &'a [Touch],
    /// What the shop has said of the visitor before.
    pub contact: &'a Values,
}

/// What becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The browser gets it.
    Fires {
        /// The code with its values.
        html: String,
        /// Whether it runs in a frame of its own.
        is_sandboxed: bool,
        /// As the log shows it.
        shown: String,
    },
    /// It ends otherwise.
    Ends {
        /// As what.
        state: State,
        /// As the log shows it, where there is something to show.
        shown: Option<String>,
        /// Why it could not be handed out, if its macros are the reason.
        error: Option<String>,
    },
}

impl Fate {
    fn silent(state: State) -> Self {
        Self::Ends { state, shown: None, error: None }
    }
}

/// Decides: whose click it is, whether the connector only shows what it would do, whether the pixel
/// is approved as it is. `click` is what the click's row says.
pub fn fate(
    waiting: &WaitingPixel,
    pixel: &Pixel,
    visit: &Visit<'_>,
    click: &Values,
    random: u32,
) -> Fate {
    let find = |matching| find_match(matching, visit.all, visit.touches, waiting.happened_at);
    let matched = waiting.matching.as_ref().map(find);
    if matched == Some(Match::None) {
        return Fate::silent(State::NoClickMatch);
    }
    // Whoever learns of a click_id afterwards can say that he brought it. What was said of the
    // visitor is for the browser that had brought it before.
    let is_visitors = waiting.brought_at.is_none_or(|at| at <= waiting.created_at);
    let nothing = Values::new();
    let filled = Filled {
        event_name: &waiting.event_name,
        happened_at: waiting.happened_at,
        click_id: waiting.click_id.as_deref(),
        values: &waiting.values,
        personal: [if is_visitors { &waiting.personal } else { &nothing }, visit.contact],
        click,
        touches: visit.touches,
        matched,
        random,
    };
    let is_test =
        waiting.mode == Mode::Test || waiting.values.iter().any(|(key, _)| key == IS_TEST);
    let is_only_shown = is_test && !waiting.is_forced;
    let is_approved = || waiting.approval.as_deref().is_some_and(|known| pixel.is_approved(known));
    // What is neither shown nor handed out need not be filled in.
    if !is_only_shown && !is_approved() {
        return Fate::silent(State::NotApproved);
    }
    let rendered = filled.with(|lookup| pixel.render(lookup));
    let mut shown = filled.with(|lookup| pixel.render_masked(lookup)).html;
    shown.truncate(shown.floor_char_boundary(MAX_SHOWN));
    match rendered.fault() {
        error if is_only_shown => Fate::Ends { state: State::Logged, shown: Some(shown), error },
        None => Fate::Fires { html: rendered.html, is_sandboxed: pixel.is_sandboxed, shown },
        error => Fate::Ends { state: State::Exhausted, shown: Some(shown), error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::connector::Model;
    use serde_json::json;

    fn pixel() -> Pixel {
        Pixel::parse(&json!({ "code": "<b>{{VALUE}} {{EMAIL}} {{CLICK_ID}}</b>" }).to_string())
            .unwrap()
    }

    fn waiting() -> WaitingPixel {
        let at = Timestamp::from_ms;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        WaitingPixel {
            delivery_id: "msg_1".into(),
            event_name: "Purchase".into(),
            happened_at: at(1_000),
            created_at: at(1_001),
            click_id: Some("ours".into()),
            is_forced: false,
            values: vec![pair("VALUE", "<15>")],
            personal: vec![pair("EMAIL", "jane@example.com")],
            mode: Mode::Enabled,
            pixel: String::new(),
            approval: Some(json!({ "hash": pixel().hash() }).to_string()),
            matching: None,
            brought_at: None,
        }
    }

    fn is_decided(waiting: &WaitingPixel, pixel: &Pixel) -> Fate {
        let touch = Touch {
            at: Timestamp::from_ms(9),
            parameter: "cid".into(),
            value: "theirs".into(),
            sources: vec![],
        };
        let visit = Visit { all: &[], touches: &[touch], contact: &vec![] };
        fate(waiting, pixel, &visit, &vec![], 0)
    }

    fn html(waiting: &WaitingPixel) -> String {
        match is_decided(waiting, &pixel()) {
            Fate::Fires { html, .. } => html,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_approved_pixel_fires_with_its_values_escaped_and_is_masked_in_the_log() {
        let Fate::Fires { html, is_sandboxed, shown } = is_decided(&waiting(), &pixel()) else {
            panic!()
        };
        assert_eq!(html, "<b>&#60;15&#62; jane@example.com ours</b>");
        assert!(is_sandboxed);
        assert!(!shown.contains("jane@") && shown.contains("@example.com"), "{shown}");
    }

    #[test]
    fn one_that_is_not_approved_as_it_is_does_not_fire() {
        let code = pixel().code;
        let in_page = json!({ "code": code, "is_sandboxed": false });
        let in_page = Pixel::parse(&in_page.to_string()).unwrap();
        let changed = Pixel::parse(r#"{"code":"<b>{{VALUE}}</b>"}"#).unwrap();
        let ends = Fate::silent(State::NotApproved);
        assert_eq!(is_decided(&waiting(), &in_page), ends);
        assert_eq!(is_decided(&waiting(), &changed), ends);
        let unapproved = WaitingPixel { approval: None, ..waiting() };
        assert_eq!(is_decided(&unapproved, &pixel()), ends);
        let forced = WaitingPixel { is_forced: true, mode: Mode::Test, ..unapproved };
        assert_eq!(is_decided(&forced, &pixel()), ends);
    }

    #[test]
    fn a_connector_in_test_mode_only_shows_it_unless_it_is_forced_and_so_does_a_test() {
        let test = WaitingPixel { mode: Mode::Test, approval: None, ..waiting() };
        let Fate::Ends { state: State::Logged, shown: Some(shown), error: None } =
            is_decided(&test, &pixel())
        else {
            panic!()
        };
        assert!(shown.starts_with("<b>&#60;15&#62; "), "{shown}");
        let forced = WaitingPixel { mode: Mode::Test, is_forced: true, ..waiting() };
        html(&forced);
        let mut of_test = waiting();
        of_test.values.push((IS_TEST.into(), "1".into()));
        assert!(matches!(is_decided(&of_test, &pixel()), Fate::Ends { state: State::Logged, .. }));
        html(&WaitingPixel { is_forced: true, ..of_test });
    }

    #[test]
    fn one_that_would_be_too_long_ends_and_says_why() {
        let long = json!({ "code": format!("<p>{}", "{{VALUE}}".repeat(1_000)) });
        let pixel = Pixel::parse(&long.to_string()).unwrap();
        let value = vec![("VALUE".to_owned(), "x".repeat(8_000))];
        let approval = Some(json!({ "hash": pixel.hash() }).to_string());
        let enabled = WaitingPixel { values: value, approval, ..waiting() };
        let test = WaitingPixel { mode: Mode::Test, ..enabled.clone() };
        for (waiting, ends_as) in [(enabled, State::Exhausted), (test, State::Logged)] {
            let fate = is_decided(&waiting, &pixel);
            let Fate::Ends { state, shown, error } = fate else { panic!("it fires") };
            assert_eq!((state, shown.unwrap().len()), (ends_as, MAX_SHOWN));
            assert!(error.unwrap().contains("would be longer than 65536 bytes"));
        }
    }

    #[test]
    fn with_matching_it_fires_for_whom_the_platform_sent() {
        let matching = |parameter: &str| Matching {
            parameter: parameter.into(),
            source_parameter: None,
            source_value: None,
            model: Model::Any,
            window_days: 1,
        };
        let of = |parameter: &str| WaitingPixel {
            matching: Some(matching(parameter)),
            mode: Mode::Test,
            is_forced: true,
            ..waiting()
        };
        assert!(html(&of("cid")).contains("theirs"));
        assert_eq!(is_decided(&of("other"), &pixel()), Fate::silent(State::NoClickMatch));
    }

    #[test]
    fn who_says_afterwards_that_he_brought_the_click_learns_nothing_of_its_visitor() {
        let by = |ms| WaitingPixel { brought_at: Some(Timestamp::from_ms(ms)), ..waiting() };
        assert!(html(&by(1_001)).contains("jane@example.com"));
        assert!(!html(&by(1_002)).contains("jane@example.com"));
    }
}

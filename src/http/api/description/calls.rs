//! What no table says: the addresses that are a call of their own. Their schemas stand in
//! `frame.json`.

use super::Target;
use crate::http::openapi::{fill, reference};

/// A call, and the schemas of its body and its answer.
pub(super) struct Call {
    pub id: &'static str,
    pub summary: &'static str,
    pub body: Option<&'static str>,
    pub answer: &'static str,
    /// Names of its query's parameters, and their schemas.
    query: &'static [(&'static str, &'static str)],
}

const STATUSES: Call = Call {
    id: "change_statuses",
    summary: "Change the statuses of many conversions",
    body: Some("Statuses"),
    answer: "StatusResults",
    query: &[],
};
const CHANGES: Call = Call {
    id: "list_changes",
    summary: "List the changes of a conversion",
    body: None,
    answer: "Changes",
    query: &[],
};
const POSTBACK_URLS: Call = Call {
    id: "list_postback_urls",
    summary: "List the addresses that the advertiser calls",
    body: None,
    answer: "PostbackUrls",
    query: &[],
};
const TEST_URL: Call = Call {
    id: "make_test_url",
    summary: "Make an address whose clicks are tests",
    body: None,
    answer: "TestUrl",
    query: &[],
};
const JUDGEMENTS: Call = Call {
    id: "judge_again",
    summary: "Judge many refused postbacks again, a step at each call",
    body: Some("JudgeAgain"),
    answer: "Step",
    query: &[],
};
const EXPLANATION: Call = Call {
    id: "explain",
    summary: "Tell the story of a click, an order or a conversion",
    body: None,
    answer: "Story",
    query: &[
        ("click_id", "Subject"),
        ("order_id", "Subject"),
        ("conversion_id", "Subject"),
        ("campaign_id", "Filter"),
    ],
};

const PERSONS: Call = Call {
    id: "erase_person",
    summary: "Erase a person, a step at each call",
    body: None,
    answer: "Erasure",
    query: &[("click_id", "Person"), ("customer_id", "Person")],
};

const REPLAYS: Call = Call {
    id: "replay_many_deliveries",
    summary: "Send many deliveries again that have ended, a step at each call",
    body: Some("Replay"),
    answer: "Replayed",
    query: &[],
};
const CANCELLING: Call = Call {
    id: "cancel_deliveries",
    summary: "Cancel what waits for a connector, a step at each call",
    body: None,
    answer: "Cancelled",
    query: &[],
};
const SECRET: Call = Call {
    id: "show_signing_secret",
    summary: "Show the secret that signs a connector's deliveries",
    body: None,
    answer: "WebhookSecret",
    query: &[],
};
const ROTATION: Call = Call {
    id: "rotate_signing_secret",
    summary: "Make the next secret that signs a connector's deliveries",
    body: None,
    answer: "WebhookSecret",
    query: &[],
};
const MACROS: Call = Call {
    id: "list_macros",
    summary: "List what connectors can name",
    body: None,
    answer: "Macros",
    query: &[],
};
const BIN: Call = Call {
    id: "show_bin",
    summary: "Show what a request bin got",
    body: None,
    answer: "Bin",
    query: &[],
};
const PREVIEW: Call = Call {
    id: "preview_connector",
    summary: "Preview what a connector would send",
    body: Some("ConnectorSample"),
    answer: "ConnectorPreview",
    query: &[],
};
const TEST: Call = Call {
    id: "test_connector",
    summary: "Send one request of a connector with samples, now",
    body: None,
    answer: "ConnectorTest",
    query: &[],
};
const APPROVAL: Call = Call {
    id: "approve_connector",
    summary: "Approve the pixel of a connector as it is",
    body: None,
    answer: "Connector",
    query: &[("hash", "Sha256")],
};

/// The description of such a call.
pub(super) fn of(target: Target<'_>) -> Option<Call> {
    match target {
        Target::Statuses => Some(STATUSES),
        Target::Changes(_) => Some(CHANGES),
        Target::PostbackUrls(_) => Some(POSTBACK_URLS),
        Target::TestUrl(_) => Some(TEST_URL),
        Target::Judgements => Some(JUDGEMENTS),
        Target::Explanation => Some(EXPLANATION),
        Target::Persons => Some(PERSONS),
        Target::Replays => Some(REPLAYS),
        Target::Cancelling(_) => Some(CANCELLING),
        Target::Secret(_) => Some(SECRET),
        Target::Rotation(_) => Some(ROTATION),
        Target::Macros => Some(MACROS),
        Target::Bin(_) => Some(BIN),
        Target::Preview => Some(PREVIEW),
        Target::Test(_) => Some(TEST),
        Target::Approval(_) => Some(APPROVAL),
        _ => None,
    }
}

impl Call {
    /// The parameters of the query.
    pub(super) fn parameters(&self) -> impl Iterator<Item = String> {
        self.query.iter().map(|(name, schema)| {
            let parameter = r#"{"name":"%","in":"query","schema":%}"#;
            fill(parameter, &[name, &reference("schemas", schema)])
        })
    }
}

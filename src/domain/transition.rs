//! Which status may follow which (wire.md 5), and what such a change makes of a conversion.
//!
//! The table, and why:
//!
//! | from ↓ to → | pending | approved | hold | rejected | refunded |
//! | --- | --- | --- | --- | --- | --- |
//! | pending | – | yes | yes | yes | no |
//! | approved | operator | – | yes | yes | yes |
//! | hold | yes | yes | – | yes | no |
//! | rejected | operator | yes | operator | – | no |
//! | refunded | no | operator | no | no | – |
//!
//! - Only what counts can be taken back: a refund needs an approved sale (one that is refunded in
//!   part is still approved). What never counted is rejected instead.
//! - A decision is not undone by a sender's late message that says less: after *approved* or
//!   *rejected* only a person goes back to waiting. *Hold* is an exception for what is approved,
//!   because shops report revisions of sales that they had confirmed.
//! - A refund is undone by a person only (a chargeback that was won), as a late repeat of
//!   `status=approved` would look the same; the whole sale then counts again.

use super::configuration::Status;
use super::conversion::Conversion;
use super::refund::{self, Request};
use super::verdict::{Reason, Refusal, words};

/// Who wants a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// A postback's sender.
    Sender,
    /// A person or program with a key of the API.
    Operator,
    /// A rule of the campaign, which may do what a sender may.
    Rule,
}

/// Who may make a transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Senders and operators.
    Everyone,
    /// Operators only.
    Operators,
    /// Nobody; also the diagonal, which is no transition.
    Nobody,
}

/// The table.
pub fn allowed(from: Status, to: Status) -> Allowed {
    use Allowed::{Everyone, Nobody, Operators};
    use Status::{Approved, Hold, Pending, Refunded, Rejected};
    match (from, to) {
        (Pending | Hold | Rejected, Approved) => Everyone,
        (Pending | Hold | Approved, Rejected) => Everyone,
        (Pending | Approved, Hold) => Everyone,
        (Hold, Pending) => Everyone,
        (Approved, Refunded) => Everyone,
        (Approved | Rejected, Pending) => Operators,
        (Rejected, Hold) => Operators,
        (Refunded, Approved) => Operators,
        (Pending | Hold | Rejected, Refunded) => Nobody,
        (Refunded, Pending | Hold | Rejected) => Nobody,
        (Pending, Pending)
        | (Approved, Approved)
        | (Hold, Hold)
        | (Rejected, Rejected)
        | (Refunded, Refunded) => Nobody,
    }
}

/// Whether this author may make this transition.
pub fn may_follow(from: Status, to: Status, author: Author) -> bool {
    match allowed(from, to) {
        Allowed::Everyone => true,
        Allowed::Operators => author == Author::Operator,
        Allowed::Nobody => false,
    }
}

words! {
    /// What a change changed.
    What {
        /// The status.
        Status = "status",
        /// Only the reason for it.
        Reason = "reason",
        /// A refund, in part or of all that was left.
        Refund = "refund",
        /// The money, because other money was reported.
        Money = "money",
    }
}

/// A change of a recorded conversion, decided but not yet committed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What it changes.
    pub what: What,
    /// The conversion as it was seen.
    pub before: Conversion,
    /// The conversion as it shall be, of the next revision.
    pub after: Conversion,
}

impl Change {
    /// Whether the conversion gets another status.
    pub fn is_of_status(&self) -> bool {
        self.before.status != self.after.status
    }

    /// A change into `after`, made by the request or call of this name.
    pub fn new(what: What, before: &Conversion, after: Conversion, request_id: &str) -> Self {
        let after = Conversion {
            revision: before.revision + 1,
            changed_by: Some(request_id.to_owned()),
            ..after
        };
        Self { what, before: before.clone(), after }
    }
}

/// What somebody wants a conversion to be.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The status.
    pub status: Status,
    /// Why.
    pub reason: Option<&'a str>,
    /// Whether a reason replaces another one of the same status; otherwise the same status is a
    /// repeat, whatever its reason.
    pub is_reason_replaced: bool,
    /// With `refunded`: how much, and under which name.
    pub refund: Request<'a>,
}

/// Decides what a wish makes of a conversion; `None` if nothing, because it is so already. Age,
/// pauses and caps play no part (wire.md 6).
///
/// # Errors
/// `invalid_transition`; for refunds also `refund_too_large`, `conflict` and `invalid_parameter`.
pub fn change(
    known: &Conversion,
    wish: &Wish<'_>,
    author: Author,
    request_id: &str,
) -> Result<Option<Change>, Refusal> {
    if wish.status == Status::Refunded {
        let taken = refund::take(known, wish.refund, author)?;
        return Ok(taken.map(|after| {
            let status_reason = wish.reason.map(str::to_owned).or(after.status_reason);
            Change::new(What::Refund, known, Conversion { status_reason, ..after }, request_id)
        }));
    }
    let status_reason = wish.reason.map(str::to_owned);
    if wish.status == known.status {
        let is_new = wish.is_reason_replaced
            && status_reason.is_some()
            && status_reason != known.status_reason;
        let after = Conversion { status_reason, ..known.clone() };
        return Ok(is_new.then(|| Change::new(What::Reason, known, after, request_id)));
    }
    if !may_follow(known.status, wish.status, author) {
        return Err(refused(known.status, wish.status, author));
    }
    let mut after = Conversion { status: wish.status, status_reason, ..known.clone() };
    if known.status == Status::Refunded {
        refund::undo(&mut after);
    }
    let who = match author {
        Author::Sender => "a later postback",
        Author::Operator => "an operator",
        Author::Rule => "a rule of the campaign",
    };
    after.explain("status", format!("{who} changed {} to it", known.status.as_str()));
    Ok(Some(Change::new(What::Status, known, after, request_id)))
}

/// The refusal of a transition: from what, to what, and what would be possible.
pub fn refused(from: Status, to: Status, author: Author) -> Refusal {
    let possible: Vec<&str> = Status::ALL
        .iter()
        .filter(|next| may_follow(from, **next, author))
        .map(|next| next.as_str())
        .collect();
    let possible = match possible.as_slice() {
        [] => "nothing can follow".to_owned(),
        some => format!("{} can follow", some.join(", ")),
    };
    let person = if allowed(from, to) == Allowed::Operators && author == Author::Sender {
        "; only an operator can make this change, in the API"
    } else {
        ""
    };
    let detail = format!(
        "the conversion is {} and cannot become {}: by this way {possible}{person}",
        from.as_str(),
        to.as_str(),
    );
    Refusal::of(Reason::InvalidTransition, "status", detail)
}

#[cfg(test)]
mod tests;

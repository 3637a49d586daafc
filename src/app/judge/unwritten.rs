//! Answers that write nothing: what would follow, and repeats while the ledger is down.

use super::outcome::{Outcome, storage_unavailable};
use super::{Ports, Trial};
use crate::domain::judgement::{Case, Facts, Judgement, Question, judge};
use crate::domain::permission::{Act, may};
use crate::domain::verdict::{Reason, Verdict};

impl Trial<'_> {
    pub(super) fn dry_run(&self, case: &Case<'_>, judgement: Judgement) -> Outcome {
        let mut outcome = match judgement {
            Judgement::Create(new) => self.outcome(Verdict::Recorded, None, Some(*new)),
            Judgement::Change(changes) => {
                let first = changes.into_iter().next().map(|change| change.after);
                self.outcome(Verdict::Updated, None, first)
            }
            Judgement::Repeat(known) => {
                let current_status = Some(known.status);
                Outcome { current_status, ..self.outcome(Verdict::Duplicate, None, Some(*known)) }
            }
            Judgement::Refuse(refusal) => self.outcome(Verdict::Rejected, Some(refusal), None),
        };
        // The table of permissions refuses the dry run itself to those who may not have one.
        outcome.is_dry_run = may(self.proof, Act::SeeMoney, case.campaign);
        outcome
    }

    /// The ledger is down: a copy may know the key all the same. Nothing else can be acknowledged.
    /// Nor can a status: the copy may be older than the last transition.
    pub(super) async fn answer_from_copy(&self, ports: &impl Ports, case: &Case<'_>) -> Outcome {
        if self.postback.asks_for_status() {
            return self.outcome(Verdict::Rejected, Some(storage_unavailable()), None);
        }
        let copy = match Question::about(case).conversion_id {
            Some(conversion_id) => ports.recall(self.namespace, &conversion_id).await,
            None => None,
        };
        if copy.is_some() {
            match judge(case, &Facts { by_key: copy, ..Facts::default() }) {
                Judgement::Repeat(known) => {
                    let outcome = self.outcome(Verdict::Duplicate, None, Some(*known));
                    return Outcome { is_dry_run: self.postback.is_dry_run, ..outcome };
                }
                Judgement::Refuse(refusal) if refusal.reason == Reason::Conflict => {
                    return self.outcome(Verdict::Rejected, Some(refusal), None);
                }
                _ => {}
            }
        }
        self.outcome(Verdict::Rejected, Some(storage_unavailable()), None)
    }
}

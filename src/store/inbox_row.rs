//! The row of a request in the inbox.

use super::erased_rows::is_erased;
use super::row::rows;
use super::{Statement, Value, json};
use crate::app::ports::InboxEntry;
use crate::domain::conversion::{Conversion, Source};
use crate::domain::erasure::stays;
use crate::domain::namespace::Namespace;
use crate::domain::permission::Proof;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Reason, Refusal, Verdict};

const COLUMNS: &str = "namespace, request_id, received_at, source, proof, campaign_id, parameters, \
    verdict, reason, detail, conversion_id, judged_at";

/// The columns of which [`InboxRow`] is read.
pub(crate) const READ: &str = "request_id, received_at, source, proof, campaign_id, parameters, verdict, \
    reason, detail, conversion_id, judged_at";

/// A row is written once per judgement: a repeated write changes nothing, a later judgement
/// replaces the outcome of the earlier one, which is kept among the last 20. Only what was refused
/// is judged again: whoever is overtaken while judging it must not undo what the other recorded.
const JUDGED_AGAIN: &str = "ON CONFLICT (namespace, request_id) DO UPDATE SET verdict = excluded.verdict, \
    reason = excluded.reason, detail = excluded.detail, conversion_id = excluded.conversion_id, \
    judged_at = excluded.judged_at, judgements = judgements + 1, \
    earlier_verdicts = json_insert(\
        CASE WHEN judgements > 20 THEN json_remove(earlier_verdicts, '$[0]') ELSE COALESCE(earlier_verdicts, '[]') END, \
        '$[#]', json_object('at', judged_at, 'verdict', verdict, 'reason', reason, 'detail', detail)) \
    WHERE excluded.judged_at > judged_at AND verdict = 'rejected'";

/// What becomes of a row that is there already. SQLite takes as long to read [`JUDGED_AGAIN`] as for
/// everything else that a plain conversion writes into the inbox, so whatever is judged for the
/// first time goes without: if its row is there, this request wrote it.
fn on_conflict(entry: &InboxEntry) -> &'static str {
    if entry.judged_at > entry.received_at { JUDGED_AGAIN } else { "ON CONFLICT DO NOTHING" }
}

rows! {
    /// A request as stored.
    #[derive(Debug)]
    pub(crate) struct InboxRow {
        request_id: String,
        received_at: u64,
        source: String,
        proof: String,
        campaign_id: Option<u32>,
        parameters: String,
        verdict: String,
        reason: Option<String>,
        detail: Option<String>,
        conversion_id: Option<String>,
        judged_at: u64,
    }
}

impl InboxRow {
    /// The entry of a row; `None` for a row that this version cannot read.
    pub(crate) fn entry(self) -> Option<InboxEntry> {
        let refusal = match self.reason {
            None => None,
            Some(word) => {
                Some(Refusal::new(Reason::from_word(&word)?, self.detail.unwrap_or_default()))
            }
        };
        let verdicts = [Verdict::Recorded, Verdict::Updated, Verdict::Duplicate, Verdict::Rejected];
        Some(InboxEntry {
            request_id: self.request_id,
            received_at: Timestamp::from_ms(self.received_at),
            source: Source::from_word(&self.source)?,
            proof: Proof::from_word(&self.proof)?,
            campaign_id: self.campaign_id,
            parameters: json::pairs(&self.parameters),
            verdict: verdicts.into_iter().find(|v| v.as_str() == self.verdict)?,
            refusal,
            conversion_id: self.conversion_id,
            judged_at: Timestamp::from_ms(self.judged_at),
        })
    }
}

fn values(namespace: &Namespace, entry: &InboxEntry) -> Vec<Value> {
    vec![
        namespace.as_str().into(),
        entry.request_id.as_str().into(),
        entry.received_at.ms().into(),
        entry.source.as_str().into(),
        entry.proof.as_str().into(),
        entry.campaign_id.into(),
        json::object(entry.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))
            .into(),
        entry.verdict.as_str().into(),
        entry.refusal.as_ref().map(|refusal| refusal.reason.as_str()).into(),
        entry.refusal.as_ref().map(|refusal| refusal.detail.as_str()).into(),
        entry.conversion_id.clone().into(),
        entry.judged_at.ms().into(),
    ]
}

/// Writes a row by itself.
pub(crate) fn insert(namespace: &Namespace, entry: &InboxEntry, erased: &[String]) -> Statement {
    let mut parameters = values(namespace, entry);
    let columns = columns(entry, erased, &mut parameters);
    let on_conflict = on_conflict(entry);
    let sql = format!("INSERT INTO inbox ({COLUMNS}) SELECT {columns} WHERE true {on_conflict}");
    Statement::new(sql, parameters)
}

/// What is selected of the bound [`values`]. If one of these persons was erased, only what says
/// nothing of the person is written; whom nobody could have erased costs nothing.
fn columns(entry: &InboxEntry, erased: &[String], parameters: &mut Vec<Value>) -> String {
    if erased.is_empty() {
        return "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12".to_owned();
    }
    let impersonal = entry.parameters.iter().filter(|(name, value)| stays(name, value));
    let impersonal = impersonal.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut bind = |value: Value| {
        parameters.push(value);
        format!("?{}", parameters.len())
    };
    let (text, is_erased) = (bind(json::object(impersonal).into()), is_erased(erased, &mut bind));
    format!(
        "?1, ?2, ?3, ?4, ?5, ?6, CASE WHEN {is_erased} THEN {text} ELSE ?7 END, ?8, ?9, \
         CASE WHEN {is_erased} THEN NULL ELSE ?10 END, ?11, ?12"
    )
}

/// Writes a row only if the same batch (or an earlier try of it) wrote the conversion, and returns
/// a row if it did.
pub(crate) fn insert_beside(
    namespace: &Namespace,
    entry: &InboxEntry,
    conversion: &Conversion,
    erased: &[String],
) -> Statement {
    let made = ("request_id", conversion.request_id.as_str().into());
    guarded(namespace, entry, conversion, made, erased)
}

/// Writes a row only if the same batch (or an earlier try of it) changed the conversion, and
/// returns a row if it did.
pub(crate) fn insert_beside_change(
    namespace: &Namespace,
    entry: &InboxEntry,
    conversion: &Conversion,
    erased: &[String],
) -> Statement {
    let changed = ("changed_by", conversion.changed_by.clone().into());
    guarded(namespace, entry, conversion, changed, erased)
}

fn guarded(
    namespace: &Namespace,
    entry: &InboxEntry,
    conversion: &Conversion,
    (guard, value): (&str, Value),
    erased: &[String],
) -> Statement {
    let mut parameters = values(namespace, entry);
    parameters.extend([conversion.conversion_id.as_str().into(), value]);
    let columns = columns(entry, erased, &mut parameters);
    let on_conflict = on_conflict(entry);
    let sql = format!(
        "INSERT INTO inbox ({COLUMNS}) SELECT {columns} \
         WHERE EXISTS (SELECT 1 FROM conversions WHERE namespace = ?1 AND conversion_id = ?13 AND {guard} = ?14) \
         {on_conflict} RETURNING 1 AS written"
    );
    Statement::new(sql, parameters)
}

/// Reads a row.
pub(crate) fn select(namespace: &Namespace, request_id: &str) -> Statement {
    Statement::new(
        format!("SELECT {READ} FROM inbox WHERE namespace = ?1 AND request_id = ?2"),
        vec![namespace.as_str().into(), request_id.into()],
    )
}

//! The ledger of conversions and requests over SQL.
//!
//! Every write is keyed and `ON CONFLICT DO NOTHING` (or an update of the same row), so that it
//! may happen twice. What a decision assumed stands as a guard in the statement's own `WHERE`;
//! the batch is one transaction, so guard and write are exact under concurrency.

use super::conversion_row;
use super::inbox_row::{self, InboxRow};
use super::row::Read as _;
use super::{
    Database, Statement, Stores, cap_rows, changes, customer_rows, delivery_rows, doubt_rows,
    erased_rows, facts_rows, json,
};
use crate::app::ports::{
    Commit, InboxEntry, Ledger, RefusalBatch, RefusalCount, RefusedRequest, Signature, Unavailable,
};
use crate::domain::configuration::SecretHash;
use crate::domain::conversion::Conversion;
use crate::domain::delivery::Delivery;
use crate::domain::encoding::hex;
use crate::domain::judgement::{Assumptions, Facts, Question};
use crate::domain::namespace::Namespace;
use crate::domain::time::HOUR_MS;
use crate::domain::transition::Change;

impl<D: Database, B: super::Blobs> Ledger for Stores<D, B> {
    async fn commit(
        &self,
        namespace: &Namespace,
        conversion: &Conversion,
        assumed: &Assumptions,
        deliveries: &[Delivery],
        entry: &InboxEntry,
    ) -> Result<Commit, Unavailable> {
        let named = conversion.customer.as_ref().map(|customer| customer.customer_id.as_str());
        let erased = self.names_of_customer(namespace, named);
        let mut statements = vec![conversion_row::insert(namespace, conversion, assumed, &erased)];
        statements.extend(customer_rows::insert_beside(namespace, conversion));
        if assumed.is_doubtful {
            statements.push(doubt_rows::insert(namespace, conversion));
        }
        let now = entry.judged_at;
        statements.extend(delivery_rows::insert_new(namespace, deliveries, conversion, now));
        statements.push(inbox_row::insert_beside(
            namespace,
            entry,
            conversion,
            &self.names_if_erased(namespace, entry),
        ));
        let is_ours = |stored: &Conversion| stored.request_id == conversion.request_id;
        self.settle(namespace, statements, &assumed.question, conversion, is_ours).await
    }

    async fn change(
        &self,
        namespace: &Namespace,
        (changes, deliveries): (&[Change], &[Delivery]),
        entry: &InboxEntry,
        question: &Question,
    ) -> Result<Commit, Unavailable> {
        let signature =
            Signature { request_id: &entry.request_id, key_id: None, at: entry.judged_at };
        let mut statements = Vec::from(changes::make(namespace, changes, &signature, true));
        let (request_id, now) = (&entry.request_id, entry.judged_at);
        statements.extend(delivery_rows::insert_beside(namespace, deliveries, request_id, now));
        if let Some(first) = changes.first() {
            statements.push(inbox_row::insert_beside_change(
                namespace,
                entry,
                &first.after,
                &self.names_if_erased(namespace, entry),
            ));
        }
        statements.push(changes::written(namespace, changes, &entry.request_id));
        let results = self.run(statements).await?;
        if results.last().is_some_and(|written| written.len() == changes.len()) {
            return Ok(Commit::Done);
        }
        let facts = self.facts(namespace, question).await?;
        Ok(Commit::Contradicted(Box::new(facts)))
    }

    async fn heard(
        &self,
        namespace: &Namespace,
        conversion_id: &str,
    ) -> Result<Vec<Vec<(String, String)>>, Unavailable> {
        let results = self.run(vec![changes::heard(namespace, conversion_id)]).await?;
        let rows = results.last().into_iter().flatten();
        Ok(rows.filter_map(|row| Some(json::pairs(row.get("parameters")?.as_str()?))).collect())
    }

    async fn facts(
        &self,
        namespace: &Namespace,
        question: &Question,
    ) -> Result<Facts, Unavailable> {
        let mut statements = vec![facts_rows::select(namespace, question)];
        let customer = customer_rows::select(namespace, question);
        let has_customer = customer.is_some();
        statements.extend(customer);
        let uses = cap_rows::select(namespace, &question.places);
        let has_uses = uses.is_some();
        statements.extend(uses);
        let customer = question.customer.as_ref().map(|(_, customer_id)| customer_id.as_str());
        let customer = self.names_of_customer(namespace, customer);
        let click = question.credited_click.as_deref();
        statements.extend(erased_rows::select(namespace, click, &customer));
        let results = self.run(statements).await?;
        let facts = facts_rows::read(question, results.first())?;
        let mut others = results.iter().skip(1);
        let customer = if has_customer { others.next() } else { None };
        let customer = customer_rows::read(customer)?;
        let uses = cap_rows::uses(if has_uses { others.next() } else { None })?;
        let (is_click_erased, is_customer_erased) = erased_rows::read(others.next(), click);
        Ok(Facts { customer, uses, is_click_erased, is_customer_erased, ..facts })
    }

    async fn note(&self, namespace: &Namespace, entry: &InboxEntry) -> Result<(), Unavailable> {
        let erased = self.names_if_erased(namespace, entry);
        self.run(vec![inbox_row::insert(namespace, entry, &erased)]).await.map(|_| ())
    }

    async fn inbox_entry(
        &self,
        namespace: &Namespace,
        request_id: &str,
    ) -> Result<Option<InboxEntry>, Unavailable> {
        let results = self.run(vec![inbox_row::select(namespace, request_id)]).await?;
        match results.last().and_then(|rows| rows.first()) {
            None => Ok(None),
            Some(row) => {
                let entry = InboxRow::read(row).and_then(InboxRow::entry);
                entry.map(Some).ok_or(Unavailable)
            }
        }
    }

    async fn campaign_of_token(
        &self,
        namespace: &Namespace,
        hash: &SecretHash,
    ) -> Result<Option<u32>, Unavailable> {
        let statement = Statement::new(
            "SELECT CASE level WHEN 'campaign' THEN level_id WHEN 'event' THEN \
               (SELECT campaign_id FROM events AS e WHERE e.namespace = ?1 AND e.id = level_id) END AS campaign_id \
             FROM tokens WHERE namespace = ?1 AND hash = ?2 AND revoked_at IS NULL",
            vec![namespace.as_str().into(), hex(hash).into()],
        );
        let results = self.run(vec![statement]).await?;
        let id = results.last().and_then(|rows| rows.first()?.get("campaign_id")?.as_u64());
        Ok(id.and_then(|id| u32::try_from(id).ok()))
    }

    async fn campaign_of_order(
        &self,
        namespace: &Namespace,
        order_id: &str,
    ) -> Result<Option<u32>, Unavailable> {
        let statement = Statement::new(
            "SELECT DISTINCT campaign_id FROM conversions INDEXED BY conversions_order \
             WHERE namespace = ?1 AND order_id = ?2 AND is_test = 0 LIMIT 2",
            vec![namespace.as_str().into(), order_id.into()],
        );
        let results = self.run(vec![statement]).await?;
        let [row] = results.last().map_or(&[][..], Vec::as_slice) else { return Ok(None) };
        Ok(row.get("campaign_id").and_then(|id| id.as_u64()?.try_into().ok()))
    }

    async fn count_refusals(&self, batch: &RefusalBatch) -> Result<(), Unavailable> {
        let counts: Vec<serde_json::Value> = batch.counts.iter().map(count_json).collect();
        let samples: Vec<serde_json::Value> = batch.samples.iter().map(sample_json).collect();
        let count = Statement::new(
            "INSERT INTO refusals (namespace, hour, reason, batch, requests) \
             SELECT value ->> 'namespace', value ->> 'hour', value ->> 'reason', ?2, value ->> 'requests' \
             FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
            vec![serde_json::Value::Array(counts).to_string().into(), batch.name.as_str().into()],
        );
        let sample = Statement::new(
            "INSERT INTO refusal_samples (namespace, campaign_id, hour, slot, received_at, reason, detail, parameters) \
             SELECT value ->> 'namespace', value ->> 'campaign_id', value ->> 'hour', value ->> 'slot', \
                    value ->> 'received_at', value ->> 'reason', value ->> 'detail', value ->> 'parameters' \
             FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
            vec![serde_json::Value::Array(samples).to_string().into()],
        );
        self.run(vec![count, sample]).await.map(|_| ())
    }
}

impl<D: Database, B: super::Blobs> Stores<D, B> {
    /// Runs a commit and reads its outcome. Its last statement writes the inbox row only beside a
    /// conversion that is this request's, and tells so by returning a row; reading the conversion
    /// back in the same batch instead would cost more than the inbox row. Without that row either
    /// an assumption was wrong or the same commit has happened before: the facts know.
    async fn settle(
        &self,
        namespace: &Namespace,
        statements: Vec<Statement>,
        question: &Question,
        new: &Conversion,
        is_ours: impl Fn(&Conversion) -> bool,
    ) -> Result<Commit, Unavailable> {
        let results = self.run(statements).await?;
        if results.last().is_some_and(|rows| !rows.is_empty()) {
            return Ok(Commit::Done);
        }
        let mut facts = self.facts(namespace, question).await?;
        if facts.by_key.as_ref().is_some_and(is_ours) {
            return Ok(Commit::Done);
        }
        let known = [&facts.by_key, &facts.by_click, &facts.by_order];
        // Of what is no repeat the click may have been erased.
        if known.into_iter().all(Option::is_none)
            && question.credited_click.is_none()
            && let Some(erased) = erased_rows::select(namespace, new.click_id.as_deref(), &[])
        {
            facts.is_click_erased = self.row(erased).await?.is_some();
        }
        Ok(Commit::Contradicted(Box::new(facts)))
    }
}

fn count_json(count: &RefusalCount) -> serde_json::Value {
    serde_json::json!({
        "namespace": count.namespace.as_ref().map_or("", Namespace::as_str),
        "hour": count.hour.ms(),
        "reason": count.reason.as_str(),
        "requests": count.requests,
    })
}

fn sample_json(sample: &RefusedRequest) -> serde_json::Value {
    serde_json::json!({
        "namespace": sample.namespace.as_ref().map_or("", Namespace::as_str),
        "campaign_id": sample.campaign_id.unwrap_or(0),
        "hour": sample.received_at.ms() / HOUR_MS * HOUR_MS,
        "slot": sample.slot,
        "received_at": sample.received_at.ms(),
        "reason": sample.reason.as_str(),
        "detail": sample.detail,
        "parameters": sample.parameters,
    })
}

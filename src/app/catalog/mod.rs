//! The catalogue: what operators set up, from namespaces to tokens. One engine for all resources,
//! driven by their tables of fields ([`resources`]).
//!
//! Not here: how values are read from JSON (`http/api/`), how rows are written (`store/catalog/`).

mod copies;
pub mod resource;
pub mod resources;
pub mod secrets;

use std::future::Future;

use serde_json::Value;

use super::access::hash_of;
use super::ports::{ConfigurationCopies, Unavailable};
use super::settings::Moment;
use crate::domain::encoding::hex;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;
use resource::{Record, Removal, Resource};

/// Which object, within which namespace; no namespace means all of them (root, `/namespaces`).
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The resource.
    pub resource: &'static Resource,
    /// The namespace that rows are confined to.
    pub namespace: Option<&'a Namespace>,
}

/// What a list shall hold.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Fields and the values, as stored, that they must equal.
    pub filters: Vec<(&'static str, Value)>,
    /// The key of the last object of the page before.
    pub after: Option<Value>,
    /// The most objects.
    pub limit: u32,
}

/// Objects to create, all of one resource.
#[derive(Debug)]
pub struct Draft<'a> {
    /// Where.
    pub place: Place<'a>,
    /// The objects, validated.
    pub records: Vec<Record>,
    /// Now.
    pub created_at: Timestamp,
    /// A random name of this attempt.
    pub attempt: &'a str,
    /// What makes a repetition harmless, if the caller wants that.
    pub idempotency: Option<&'a Idempotency>,
}

/// The caller's name for a request.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The `Idempotency-Key`.
    pub key: String,
    /// A hash of everything that must be the same when it is repeated.
    pub fingerprint: String,
}

/// What a draft became.
#[derive(Clone, Debug, PartialEq)]
pub enum Created {
    /// The objects, by this attempt or by an earlier one of the same name.
    Objects {
        /// As stored.
        records: Vec<Record>,
        /// The attempt that created them.
        attempt: String,
    },
    /// The name was used for another request.
    NameReused,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The store did not answer.
    Unavailable,
    /// Another object has this value already; the column.
    Taken(String),
    /// What the value refers to does not exist, or has no room for more; the column.
    Missing(String),
    /// Another rule of the schema.
    Refused,
}

/// Where the catalogue is kept.
pub trait Catalog {
    /// The objects after a key, in the order of keys.
    fn list(
        &self,
        place: Place<'_>,
        selection: &Selection,
    ) -> impl Future<Output = Result<Vec<Record>, Unavailable>>;

    /// One object by its key.
    fn find(
        &self,
        place: Place<'_>,
        key: &Value,
    ) -> impl Future<Output = Result<Option<Record>, Unavailable>>;

    /// Creates all objects or none. With a name, at most one attempt of that name creates
    /// anything, for ever, and the others get what that one created.
    fn create(&self, draft: &Draft<'_>) -> impl Future<Output = Result<Created, WriteFault>>;

    /// Which objects of a draft refer to nothing by a column, by their places; some of them.
    fn dangling(
        &self,
        draft: &Draft<'_>,
        column: &str,
    ) -> impl Future<Output = Result<Vec<usize>, Unavailable>>;

    /// Which objects of a draft have what another one has already, by their places; some of them.
    fn taken(&self, draft: &Draft<'_>) -> impl Future<Output = Result<Vec<usize>, Unavailable>>;

    /// Sets columns of one object and gives it as it is then; `None` if there is none. May be
    /// repeated.
    fn change(
        &self,
        place: Place<'_>,
        key: &Value,
        changes: &Record,
    ) -> impl Future<Output = Result<Option<Record>, WriteFault>>;

    /// Deletes or revokes an object, and gives it as it was. May be repeated.
    fn remove(
        &self,
        place: Place<'_>,
        key: &Value,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Record>, WriteFault>>;
}

/// How many events of a campaign its site events can choose from.
pub const MAX_EVENTS: u32 = 1_000;

/// What validation may have to know besides the body.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The object that is to be changed.
    pub current: Option<Record>,
    /// The campaign that the object belongs to.
    pub campaign: Option<Record>,
    /// The events of the campaign that is to be changed, at most [`MAX_EVENTS`] of them.
    pub events: Vec<Record>,
}

/// Why a use case stopped. `E` is the caller's own fault list.
#[derive(Clone, Debug, PartialEq)]
pub enum Stopped<E> {
    /// The body is invalid.
    Invalid(E),
    /// No such object in this namespace.
    NotFound,
    /// The `Idempotency-Key` was used for another request.
    NameReused,
    /// Objects of a list refer to nothing by this column; their places.
    Dangling(String, Vec<usize>),
    /// Objects of a list have by this column what another one has already; their places.
    Taken(String, Vec<usize>),
    /// Nothing was written.
    Write(WriteFault),
}

impl<E> From<WriteFault> for Stopped<E> {
    fn from(fault: WriteFault) -> Self {
        Self::Write(fault)
    }
}

impl<E> From<Unavailable> for Stopped<E> {
    fn from(_: Unavailable) -> Self {
        Self::Write(WriteFault::Unavailable)
    }
}

/// Creates objects: validated records from `read`, which gets the campaign that `campaign_id`
/// names. Secrets come back in plain in column `plain`, this once.
///
/// # Errors
/// [`Stopped`]; then nothing was created.
pub async fn create<E>(
    stores: &(impl Catalog + ConfigurationCopies),
    mint: secrets::Mint<'_>,
    moment: &Moment<'_>,
    place: Place<'_>,
    campaign_id: Option<u64>,
    idempotency: Option<&Idempotency>,
    read: impl FnOnce(&Facts) -> Result<Vec<Record>, E>,
) -> Result<Vec<Record>, Stopped<E>> {
    let campaign = campaign(stores, place, campaign_id).await?;
    let facts = Facts { current: None, campaign, events: Vec::new() };
    let mut records = read(&facts).map_err(Stopped::Invalid)?;

    let attempt = hex(&(moment.random)());
    let draft_claims = copies::claimed_defaults(place.resource, &records);
    let supplied = mint.seal(place.resource, &mut records, &attempt);
    let draft = Draft { place, records, created_at: moment.now, attempt: &attempt, idempotency };
    let (mut records, attempt) = match stores.create(&draft).await {
        Ok(Created::Objects { records, attempt }) => (records, attempt),
        Ok(Created::NameReused) => return Err(Stopped::NameReused),
        Err(WriteFault::Missing(column)) if draft.records.len() > 1 => {
            let places = stores.dangling(&draft, &column).await?;
            return Err(Stopped::Dangling(column, places));
        }
        Err(WriteFault::Taken(column)) if draft.records.len() > 1 => {
            let places = stores.taken(&draft).await?;
            return Err(Stopped::Taken(column, places));
        }
        Err(fault) => return Err(Stopped::Write(fault)),
    };
    mint.reveal(place, &mut records, &attempt, supplied.as_deref());
    for record in &mut records {
        name_campaign_of_event(stores, place, record).await?;
    }

    copies::follow_creation(stores, place, &draft_claims, &records, moment.now).await;
    Ok(records)
}

/// Changes an object: `read` gets it as it is (and, of a campaign, its events if it wants them) and
/// gives the columns to set.
///
/// # Errors
/// [`Stopped`]; then nothing was changed.
pub async fn change<E>(
    stores: &(impl Catalog + ConfigurationCopies),
    moment: &Moment<'_>,
    place: Place<'_>,
    key: &Value,
    wants_events: bool,
    read: impl FnOnce(&Facts) -> Result<Record, E>,
) -> Result<Record, Stopped<E>> {
    let current = stores.find(place, key).await?.ok_or(Stopped::NotFound)?;
    let campaign_id = number(&current, "campaign_id");
    let events = if wants_events { events(stores, place, key).await? } else { Vec::new() };
    let campaign = campaign(stores, place, campaign_id).await?;
    let facts = Facts { campaign, events, current: Some(current) };
    let changes = read(&facts).map_err(Stopped::Invalid)?;
    let record = stores.change(place, key, &changes).await?.ok_or(Stopped::NotFound)?;
    copies::follow_change(stores, place, facts.current.as_ref(), &record, moment.now).await;
    Ok(record)
}

/// Deletes or revokes an object.
///
/// # Errors
/// [`Stopped::NotFound`], or the store's fault.
pub async fn remove(
    stores: &(impl Catalog + ConfigurationCopies),
    moment: &Moment<'_>,
    place: Place<'_>,
    key: &Value,
) -> Result<(), Stopped<()>> {
    debug_assert!(place.resource.removal != Removal::Refused, "the route table lets none pass");
    let mut record = stores.remove(place, key, moment.now).await?.ok_or(Stopped::NotFound)?;
    name_campaign_of_event(stores, place, &mut record).await?;
    copies::follow_change(stores, place, None, &record, moment.now).await;
    Ok(())
}

/// The events of a campaign, which its site events may become.
///
/// # Errors
/// [`Unavailable`].
pub async fn events(
    stores: &impl Catalog,
    place: Place<'_>,
    campaign: &Value,
) -> Result<Vec<Record>, Unavailable> {
    if place.resource.name != resources::CAMPAIGNS.name {
        return Ok(Vec::new());
    }
    let events = Place { resource: &resources::EVENTS, ..place };
    let filters = vec![("campaign_id", campaign.clone())];
    stores.list(events, &Selection { filters, after: None, limit: MAX_EVENTS }).await
}

/// The campaign of a landing page, which decides what addresses it may have, or of an event,
/// payout rule or cap, whose money is in its currency.
async fn campaign(
    stores: &impl Catalog,
    place: Place<'_>,
    id: Option<u64>,
) -> Result<Option<Record>, Unavailable> {
    match id {
        Some(id) if belongs_to_campaign(place.resource) => {
            let campaigns = Place { resource: &resources::CAMPAIGNS, ..place };
            stores.find(campaigns, &id.into()).await
        }
        _ => Ok(None),
    }
}

/// Puts the campaign of an event's token beside it, whose copy lists the token. What was written
/// stands if this fails; the caller repeats the request, and then the copy follows.
async fn name_campaign_of_event(
    stores: &impl Catalog,
    place: Place<'_>,
    record: &mut Record,
) -> Result<(), Unavailable> {
    let is_of_event = record.get("level").and_then(Value::as_str) == Some("event");
    if place.resource.name != resources::TOKENS.name || !is_of_event {
        return Ok(());
    }
    let Some(event_id) = record.get("level_id") else { return Ok(()) };
    let events = Place { resource: &resources::EVENTS, ..place };
    let event = stores.find(events, event_id).await?.unwrap_or_default();
    if let Some(campaign_id) = event.get("campaign_id") {
        record.insert("campaign_id".to_owned(), campaign_id.clone());
    }
    Ok(())
}

fn belongs_to_campaign(resource: &Resource) -> bool {
    ["landing-pages", "events", "payouts", "caps"].contains(&resource.name)
}

fn number(record: &Record, field: &str) -> Option<u64> {
    record.get(field).and_then(Value::as_u64)
}

/// A secret's stored form.
fn sealed(secret: &str) -> Value {
    Value::String(hash_of(secret))
}

//! Bodies to validated records: parsed once, at the door, with all faults at once.

use serde_json::{Map, Value};

use super::problem::{self, FieldFault};
use super::{connectors, rules, value};
use crate::app::access::Access;
use crate::app::catalog::Facts;
use crate::app::catalog::resource::{Absent, Field, Kind, Record, Resource, Writable};
use crate::app::connectors::Surroundings;
use crate::app::settings::Settings;
use crate::domain::time::Timestamp;

/// What reading a body may depend on.
pub(super) struct Reading<'a> {
    /// Development allows http addresses.
    pub(super) call_is_development: bool,
    /// The installation's own domain, if the caller may not give out hosts of it.
    pub(super) reserved_zone: Option<&'a str>,
    /// How the installation is set up.
    pub(super) settings: &'a Settings,
    /// Now.
    pub(super) now: Timestamp,
    /// What is stored already.
    pub(super) facts: &'a Facts,
    /// What surrounds a connector; nothing for other resources.
    pub(super) surroundings: &'a Surroundings,
}

/// An object to create.
pub(super) fn creation(
    resource: &Resource,
    body: &Map<String, Value>,
    reading: &Reading<'_>,
    access: &Access,
) -> Result<Record, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let record = read(resource, body, reading, true, &mut faults);
    faults.extend(rules::of_creation(resource, &record, reading));
    faults.extend(rules::of_scopes(resource, &record, access));
    if faults.is_empty() { Ok(record) } else { Err(faults) }
}

/// The columns to change of an object.
pub(super) fn change(
    resource: &Resource,
    body: &Map<String, Value>,
    reading: &Reading<'_>,
    access: &Access,
) -> Result<Record, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let mut record = read(resource, body, reading, false, &mut faults);
    // Why Backtrail disabled a connector is over when an operator decides anew.
    if resource.field("note").is_some() && record.contains_key("mode") {
        record.insert("note".to_owned(), Value::Null);
    }
    faults.extend(rules::of_change(resource, &record, reading));
    faults.extend(rules::of_scopes(resource, &record, access));
    if faults.is_empty() { Ok(record) } else { Err(faults) }
}

/// The bodies of a list of objects; `rest` is what was sent beside it.
pub(super) fn objects(
    resource: &Resource,
    list: Value,
    rest: &Map<String, Value>,
) -> Result<Vec<Map<String, Value>>, Vec<FieldFault>> {
    let most = resource.most_at_once;
    let mut faults: Vec<FieldFault> =
        rest.keys().map(|name| problem::field(name, value::unknown_field(resource))).collect();
    let list = match list {
        Value::Array(list) if (1..=most).contains(&list.len()) => list,
        _ => {
            let message = format!("Send a list of 1 to {most} objects.");
            faults.push(problem::field(resource.name, ("invalid", message)));
            return Err(faults);
        }
    };
    let mut bodies = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        if let Value::Object(body) = item {
            bodies.push(body);
        } else {
            let fault = ("invalid", "This has to be a JSON object.".to_owned());
            faults.push(problem::field(&format!("{}[{index}]", resource.name), fault));
        }
    }
    if faults.is_empty() { Ok(bodies) } else { Err(faults) }
}

/// Several objects to create, all of them or none.
pub(super) fn many(
    resource: &Resource,
    bodies: &[Map<String, Value>],
    reading: &Reading<'_>,
) -> Result<Vec<Record>, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let mut records = Vec::with_capacity(bodies.len());
    for (index, body) in bodies.iter().enumerate() {
        let mut own = Vec::new();
        let record = read(resource, body, reading, true, &mut own);
        own.extend(rules::of_creation(resource, &record, reading));
        let of_list =
            |(field, code, message)| (format!("{}[{index}].{field}", resource.name), code, message);
        faults.extend(own.into_iter().map(of_list));
        records.push(record);
    }
    faults.extend(rules::one_default_each(resource, &mut records));
    if faults.is_empty() { Ok(records) } else { Err(faults) }
}

fn read(
    resource: &Resource,
    body: &Map<String, Value>,
    reading: &Reading<'_>,
    is_creation: bool,
    faults: &mut Vec<FieldFault>,
) -> Record {
    for name in body.keys().filter(|name| resource.field(name).is_none()) {
        faults.push(problem::field(name, value::unknown_field(resource)));
    }
    let mut record = Record::new();
    for field in resource.fields {
        if let (Kind::Part(part), Some(sent)) = (field.kind, body.get(field.name))
            && !sent.is_null()
        {
            match connectors::read_part(part, field.name, sent, reading, &record) {
                Ok(stored) => drop(record.insert(field.name.to_owned(), stored)),
                Err(wrong) => faults.extend(wrong),
            }
            continue;
        }
        let result = match (body.get(field.name), field.writable) {
            (Some(_), Writable::Never) => Err(("read_only", "Backtrail writes this field.".into())),
            (Some(_), Writable::Once) if !is_creation => {
                Err(("create_only", "This cannot be changed after creation.".into()))
            }
            // Left open, a default-flag is decided at creation; afterwards it is true or false.
            (Some(Value::Null), _) if !is_creation && matches!(field.kind, Kind::Default(_)) => {
                Err(("invalid", "Send true or false.".into()))
            }
            (Some(sent), _) => sent_value(field, sent, reading, &record).map(Some),
            (None, Writable::Never) => Ok(None),
            (None, _) if !is_creation => Ok(None),
            // What was sent to be used is used.
            (None, _) if matches!(field.kind, Kind::Switch(part) if record.get(part).is_some_and(Value::is_string)) => {
                Ok(Some(1.into()))
            }
            (None, _) => default_of(field).map(Some),
        };
        match result {
            Ok(Some(stored)) => {
                record.insert(field.name.to_owned(), stored);
            }
            Ok(None) => {}
            Err(fault) => faults.push(problem::field(field.name, fault)),
        }
    }
    record
}

fn sent_value(
    field: &Field,
    sent: &Value,
    reading: &Reading<'_>,
    before: &Record,
) -> Result<Value, value::Fault> {
    match (sent, field.absent) {
        (Value::Null, Absent::Null) => Ok(Value::Null),
        (Value::Null, _) => Err(("invalid", "This cannot be null.".into())),
        _ => value::read(field.kind, sent, reading, before),
    }
}

fn default_of(field: &Field) -> Result<Value, value::Fault> {
    match field.absent {
        Absent::Refused => Err(("required", "This field is missing.".into())),
        Absent::Null => Ok(Value::Null),
        Absent::Text(text) => Ok(text.into()),
        Absent::Number(number) => Ok(number.into()),
    }
}

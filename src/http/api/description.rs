//! The API's part of `/openapi.json`, from the table of resources and the routes.

use serde_json::Value;

mod calls;
mod schemas;
mod sending;

use super::{Target, methods, paging, render};
use crate::app::catalog::resource::{Absent, Kind, Record, Resource, Writable};
use crate::app::catalog::resources::{self, CAMPAIGNS, CONNECTORS, LINKS, NAMESPACES};
use crate::app::history::{self, CLICKS, CONVERSIONS, DELIVERIES, INBOX};
use crate::app::settings::Settings;
use crate::http::openapi::{Object, fill, headers, list, one_of, put, quoted, reference};
use crate::http::request::Method;
use schemas::schema_of;

/// Adds paths, schemas and problems.
pub(in crate::http) fn describe(root: &mut Object, settings: &Settings) {
    for resource in resources::ALL {
        describe_schemas(root, resource, settings);
        describe_address(root, Target::All(resource));
        describe_address(root, Target::One(resource, ""));
    }
    for resource in history::ALL {
        describe_schemas(root, resource, settings);
        describe_address(root, Target::Past(resource));
        let is_conversion = resource.name == CONVERSIONS.name;
        let one =
            if is_conversion { Target::Conversion("") } else { Target::PastOne(resource, "") };
        describe_address(root, one);
    }
    for target in [
        Target::Statuses,
        Target::Changes(""),
        Target::PostbackUrls(""),
        Target::TestUrl(""),
        Target::Judgement(""),
        Target::Judgements,
        Target::Explanation,
        Target::Persons,
        Target::Macros,
        Target::Bin(""),
        Target::Preview,
        Target::Test(""),
        Target::Approval(""),
    ]
    .into_iter()
    .chain(sending::ALL)
    {
        describe_address(root, target);
    }
    for status in ["400", "401", "403", "404", "409", "413", "415", "503"] {
        let at = fill("components responses % ", &[status]);
        let content =
            r##"{"application/problem+json":{"schema":{"$ref":"#/components/schemas/Problem"}}}"##;
        put(root, &(at.clone() + "content"), content);
        if let Some(headers) = headers(status) {
            put(root, &(at + "headers"), &headers);
        }
    }
}

/// The address of a target with the key in it. A new kind of target gets its address here, and a
/// line in [`describe`].
fn path(target: Target<'_>) -> (String, Option<&'static Resource>) {
    let all = |resource: &Resource| fill("/api/v1/%", &[resource.name]);
    let one = |resource: &Resource| fill("/api/v1/%/{%}", &[resource.name, resource.key]);
    match target {
        Target::All(resource) | Target::Past(resource) => (all(resource), None),
        Target::One(resource, _) | Target::PastOne(resource, _) => (one(resource), Some(resource)),
        Target::Conversion(_) => (one(&CONVERSIONS), Some(&CONVERSIONS)),
        Target::Changes(_) => (one(&CONVERSIONS) + "/changes", Some(&CONVERSIONS)),
        Target::PostbackUrls(_) => (one(&CAMPAIGNS) + "/postback-urls", Some(&CAMPAIGNS)),
        Target::TestUrl(_) => (one(&LINKS) + "/test-url", Some(&LINKS)),
        Target::Judgement(_) => (one(&INBOX) + "/judge", Some(&INBOX)),
        Target::Statuses => (all(&CONVERSIONS) + "/statuses", None),
        Target::Judgements => (all(&INBOX) + "/judge-again", None),
        Target::Explanation => ("/api/v1/explain".to_owned(), None),
        Target::Persons => ("/api/v1/persons".to_owned(), None),
        Target::Replay(_)
        | Target::Replays
        | Target::Cancelling(_)
        | Target::Secret(_)
        | Target::Rotation(_) => sending::path(target),
        Target::Macros => ("/api/v1/macros".to_owned(), None),
        Target::Bin(_) => ("/api/v1/bins/{name}".to_owned(), Some(&NAMESPACES)),
        Target::Preview => (all(&CONNECTORS) + "/preview", None),
        Target::Test(_) => (one(&CONNECTORS) + "/test", Some(&CONNECTORS)),
        Target::Approval(_) => (one(&CONNECTORS) + "/approve", Some(&CONNECTORS)),
    }
}

/// Every method of an address.
fn describe_address(root: &mut Object, target: Target<'_>) {
    let (path, keyed) = path(target);
    let mut parameters = vec![reference("parameters", "namespace")];
    if let Some(resource) = keyed {
        let schema = if resource.is_numbered() {
            reference("schemas", "Id")
        } else {
            r#"{"type":"string","minLength":1}"#.to_owned()
        };
        let key = r#"{"name":"%","in":"path","required":true,"schema":%}"#;
        parameters.push(fill(key, &[resource.key, &schema]));
    }
    put(root, &fill("paths % parameters", &[&path]), &list(&parameters));
    for (method, name) in methods(target) {
        let at = fill("paths % %", &[&path, &name.to_ascii_lowercase()]);
        describe_operation(root, &at, target, *method);
    }
}

fn describe_operation(root: &mut Object, at: &str, target: Target<'_>, method: Method) {
    let (resource, is_past) = match target {
        Target::All(resource) | Target::One(resource, _) => (resource, false),
        Target::Past(resource) | Target::PastOne(resource, _) => (resource, true),
        Target::Conversion(_) | Target::Changes(_) | Target::Statuses => (&CONVERSIONS, true),
        Target::PostbackUrls(_) => (&CAMPAIGNS, false),
        Target::TestUrl(_) => (&LINKS, false),
        Target::Macros
        | Target::Bin(_)
        | Target::Preview
        | Target::Test(_)
        | Target::Approval(_) => (&CONNECTORS, false),
        Target::Judgement(_) | Target::Judgements => (&INBOX, true),
        Target::Explanation | Target::Persons => (&CLICKS, true),
        Target::Replay(_) | Target::Replays => (&DELIVERIES, true),
        Target::Cancelling(_) | Target::Secret(_) | Target::Rotation(_) => (&CONNECTORS, false),
    };
    let is_list = matches!(target, Target::All(_) | Target::Past(_));
    let (name, table) = (schema_name(resource), resource.table());
    let shown = reference("schemas", &name);
    let (verb, what, status) = match (target, method) {
        (Target::Judgement(_), _) => ("judge", "Judge again a refused", "200"),
        (Target::Replay(_), _) => ("replay", "Send again", "200"),
        _ if calls::of(target).is_some() => ("", "", "200"),
        (_, Method::Get) if is_list => ("list", "List", "200"),
        (_, Method::Get) => ("show", "Show one", "200"),
        (_, Method::Post) => ("create", "Create one", "201"),
        (_, Method::Patch) => ("change", "Change fields of one", "200"),
        _ => ("remove", "Delete or revoke one", "204"),
    };
    let mut parameters = vec![];
    let mut content = shown.clone();
    if verb == "list" {
        parameters = list_parameters(resource, is_past);
        content = fill(
            r#"{"type":"object","required":["data","next_cursor"],"additionalProperties":false,"properties":{"data":{"type":"array","items":%},"next_cursor":{"type":["string","null"]}}}"#,
            &[&shown],
        );
    }
    let mut body = None;
    if verb == "create" {
        parameters.push(reference("parameters", "idempotency_key"));
        let new = reference("schemas", &fill("New%", &[&name]));
        body = Some(one_or_many(resource, &new, resource.name));
        content = one_or_many(resource, &shown, "data");
    }
    if verb == "change" {
        body = Some(reference("schemas", &fill("%Change", &[&name])));
    }
    let noun = if verb == "list" { resource.name } else { resource.singular };
    let (mut id, mut summary) = (fill("%_%", &[verb, &table]), fill("% %", &[what, noun]));
    if let Some(call) = calls::of(target) {
        (id, summary) = (call.id.to_owned(), call.summary.to_owned());
        parameters.extend(call.parameters());
        body = call.body.map(|body| reference("schemas", body));
        content = reference("schemas", call.answer);
    }

    let tag = if is_past { "history" } else { "configuration" };
    let operation = fill(
        r#"{"operationId":"%","summary":"%","tags":["%"],"security":[{"key":[]}],"parameters":%}"#,
        &[&id, &summary, tag, &list(&parameters)],
    );
    put(root, at, &operation);
    let success = if verb == "remove" {
        r#"{"description":"It is not valid any more."}"#.to_owned()
    } else {
        let success =
            r#"{"description":"As it is now.","content":{"application/json":{"schema":%}}}"#;
        fill(success, &[&content])
    };
    put(root, &fill("% responses %", &[at, status]), &success);
    if let Some(body) = &body {
        let body =
            fill(r#"{"required":true,"content":{"application/json":{"schema":%}}}"#, &[body]);
        put(root, &fill("% requestBody", &[at]), &body);
    }
    let problems = match body {
        None => "400 401 403 404 503",
        Some(_) => "400 401 403 404 409 413 415 503",
    };
    for status in problems.split(' ') {
        put(root, &fill("% responses %", &[at, status]), &reference("responses", status));
    }
}

/// The parameters of a list: its own and the filters.
fn list_parameters(resource: &Resource, is_past: bool) -> Vec<String> {
    let limit = r#"{"name":"limit","in":"query","schema":{"type":"integer","minimum":1,"maximum":%,"default":%}}"#;
    let bounds = [paging::MAX_LIMIT, paging::DEFAULT_LIMIT].map(|bound| bound.to_string());
    let mut parameters = vec![fill(limit, &bounds.each_ref().map(String::as_str))];
    let own = if is_past { &["cursor", "from", "to"][..] } else { &["cursor"] };
    parameters.extend(own.iter().map(|name| reference("parameters", name)));
    for field in resource.fields.iter().filter(|field| field.is_filter) {
        let schema = match field.kind {
            Kind::Reference(_) | Kind::Limit(_) | Kind::TokenOwner | Kind::Count(..) => {
                reference("schemas", "Filter")
            }
            Kind::Choice(words) => one_of(words),
            Kind::Flag => r#"{"type":"boolean"}"#.to_owned(),
            _ => r#"{"type":"string"}"#.to_owned(),
        };
        parameters.push(fill(r#"{"name":"%","in":"query","schema":%}"#, &[field.name, &schema]));
    }
    parameters
}

/// An object or, where many are created at once, a list of them under a name.
fn one_or_many(resource: &Resource, one: &str, name: &str) -> String {
    if resource.most_at_once == 1 {
        return one.to_owned();
    }
    let either = r#"{"anyOf":[%,{"type":"object","required":["%"],"additionalProperties":false,"properties":{"%":{"type":"array","items":%,"minItems":1,"maxItems":%}}}]}"#;
    fill(either, &[one, name, name, one, &resource.most_at_once.to_string()])
}

/// `landing page` is described by the schema `LandingPage`.
fn schema_name(resource: &Resource) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|c| c.to_ascii_uppercase())
            .into_iter()
            .chain(letters)
            .collect::<String>()
    };
    resource.singular.split(' ').map(capital).collect()
}

/// The schemas of a resource: as it is shown, created and changed.
fn describe_schemas(root: &mut Object, resource: &'static Resource, settings: &Settings) {
    let name = schema_name(resource);
    let defaults = rendered_defaults(resource, settings);
    let [mut shown, mut created, mut changed] = [const { Shape::empty() }; 3];
    for field in resource.fields {
        let schema = schema_of(field);
        let is_nullable = field.absent == Absent::Null;
        let is_flag = matches!(field.kind, Kind::Default(_) | Kind::Flag | Kind::Switch(_));
        let is_secret = matches!(field.kind, Kind::Secret(_) | Kind::SigningSecret);
        // Ids and times of creation are never absent, and a flag that is left open is false.
        let is_always = field.name == resource.key || field.name == "created_at";
        let is_null = is_nullable && !is_secret && !is_flag && !is_always;
        shown.add(field.name, &nullable(&schema, is_null), !is_secret);
        if field.writable == Writable::Never {
            continue;
        }
        // A switch that is left out is on where its part is sent, which no default says.
        let has_default = !is_nullable && !matches!(field.kind, Kind::Switch(_));
        let default = defaults.get(field.name).filter(|value| has_default && !value.is_null());
        let created_as = match default.filter(|_| field.absent != Absent::Refused) {
            // Nobody chooses it, so that null is all that can be sent.
            _ if field.kind == Kind::SigningSecret => r#"{"type":"null"}"#.to_owned(),
            Some(default) => {
                let open = schema.strip_suffix('}').unwrap_or_default();
                fill(r#"%,"default":%}"#, &[open, &default.to_string()])
            }
            _ if matches!(field.kind, Kind::Switch(_)) => SWITCH.to_owned(),
            None => nullable(&schema, is_nullable),
        };
        created.add(field.name, &created_as, field.absent == Absent::Refused);
        if field.writable == Writable::Always {
            // Once it is decided, a default-flag is true or false.
            changed.add(field.name, &nullable(&schema, is_nullable && !is_flag), false);
        }
    }
    // What follows from an object, such as an address to hand out, is known to its renderer.
    for (name, value) in defaults.iter().filter(|(name, _)| resource.field(name).is_none()) {
        let schema = match value {
            Value::Null => r#"{"type":["string","null"]}"#.to_owned(),
            _ => fill(r#"{"type":"%"}"#, &[type_of(value)]),
        };
        shown.add(name, &schema, true);
    }
    if resource.name == CONNECTORS.name {
        shown.add("warnings", &reference("schemas", "ConnectorWarnings"), false);
    }
    for (form, shape) in [("%", shown), ("New%", created), ("%Change", changed)] {
        if !shape.properties.is_empty() {
            put(root, &fill("components schemas %", &[&fill(form, &[&name])]), &shape.schema());
        }
    }
}

/// An object with nothing but its defaults, as it is shown.
fn rendered_defaults(resource: &Resource, settings: &Settings) -> Object {
    let stored = resource.fields.iter().filter_map(|field| match field.absent {
        Absent::Text(text) => Some((field.name.to_owned(), Value::from(text))),
        Absent::Number(number) => Some((field.name.to_owned(), number.into())),
        Absent::Refused | Absent::Null => None,
    });
    match render::object(resource, &stored.collect::<Record>(), settings, None) {
        Value::Object(object) => object,
        _ => Object::new(),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "array",
        Value::Object(_) => "object",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Null => "null",
    }
}

/// A switch of a part, when it is created.
const SWITCH: &str = r#"{"type":"boolean","description":"Left out, it is true where its part is sent, else false."}"#;

/// The schema of an object that has these properties and no others, as pieces of JSON.
struct Shape {
    properties: Vec<String>,
    required: Vec<String>,
}

impl Shape {
    const fn empty() -> Self {
        Self { properties: Vec::new(), required: Vec::new() }
    }

    fn add(&mut self, name: &str, schema: &str, is_required: bool) {
        self.properties.push(fill(r#""%":%"#, &[name, schema]));
        if is_required {
            self.required.push(quoted(name));
        }
    }

    fn schema(&self) -> String {
        fill(
            r#"{"type":"object","additionalProperties":false,"properties":{%},"required":%}"#,
            &[&self.properties.join(","), &list(&self.required)],
        )
    }
}

fn nullable(schema: &str, is_null: bool) -> String {
    if is_null { fill(r#"{"anyOf":[%,{"type":"null"}]}"#, &[schema]) } else { schema.to_owned() }
}

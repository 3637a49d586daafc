//! An installation in memory, and the people who use it. Each verb of theirs says which status
//! they expect.

use std::cell::Cell;
use std::rc::Rc;

use backtrail::app::errands;
use backtrail::app::settings::{Moment, Settings};
use backtrail::domain::click_id::Keyring;
use backtrail::domain::time::Timestamp;
use backtrail::http::request::{Headers, Method, Request};
use backtrail::http::response::{Body, Response};
use backtrail::http::{self, App, Isolate};
use backtrail::store::Stores;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::receivers::runs;
use super::{MapBlobs, Receivers, SqliteDatabase, block_on, zones};

/// The root key of every world.
pub const ROOT_KEY: &str = "root-key-of-the-tests-0123456789abcdef";

/// 2026-11-21T09:30:00Z, when every world begins.
pub const BEGINNING_MS: u64 = 1_795_253_400_000;

/// One installation.
pub struct World {
    /// Everything it keeps.
    pub stores: Stores<SqliteDatabase, MapBlobs>,
    /// What its only isolate remembers.
    pub isolate: Isolate,
    /// Whom connectors reach.
    pub receivers: Rc<Receivers>,
    /// Its time.
    pub clock: Rc<Cell<Timestamp>>,
    drawn: Cell<u64>,
}

impl World {
    /// An empty installation in development.
    pub fn new() -> Self {
        Self::of(Self::settings())
    }

    /// An empty installation with these settings.
    pub fn of(settings: Settings) -> Self {
        let isolate = Isolate::default();
        let receivers = Rc::new(Receivers::default());
        let clock = Rc::new(Cell::new(Timestamp::from_ms(BEGINNING_MS)));
        let stores = Stores {
            database: SqliteDatabase::new(),
            blobs: MapBlobs::default(),
            memory: Rc::clone(&isolate.memory),
            settings: Rc::new(settings),
            log: |_| {},
            network: receivers.network(&clock),
            allowance: Default::default(),
        };
        Self { stores, isolate, receivers, clock, drawn: Cell::new(0) }
    }

    /// The settings of [`World::new`].
    pub fn settings() -> Settings {
        Settings {
            is_development: true,
            tracking_url: "https://{namespace}-tracking.example.com".into(),
            root_key_hash: Some(Sha256::digest(ROOT_KEY).into()),
            keyring: Keyring::parse("0:00000000000000000000000000000000").unwrap(),
            click_page_ms: 250,
            has_click_copies: true,
            is_recording: true,
            storage_timeout_ms: 900,
            allows_loopback: false,
            demo_token: None,
            local_date: zones::local_date,
        }
    }

    /// The ledger.
    pub fn database(&self) -> &SqliteDatabase {
        &self.stores.database
    }

    /// Lets time pass.
    pub fn waits_ms(&self, ms: u64) {
        self.clock.set(self.now().plus_ms(ms));
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.get()
    }

    /// The row that the copies keep under a key such as `c/demo/1`; null without one.
    pub fn copy(&self, key: &str) -> Value {
        let text = self.stores.blobs.text(&format!("config/{key}"));
        text.map_or(Value::Null, |text| serde_json::from_str::<Value>(&text).unwrap()["row"].take())
    }

    /// Somebody with the root key.
    pub fn root(&self) -> Operator<'_> {
        Operator { world: self, key: ROOT_KEY.into(), namespace: String::new() }
    }

    /// Creates a namespace, for which the operator then speaks.
    pub fn operator_of(&self, namespace: &str) -> Operator<'_> {
        self.root().creates("namespaces", json!({ "name": namespace }));
        Operator { namespace: namespace.into(), ..self.root() }
    }

    /// Sends a request to `http://host/path`, and does at once what its reply leaves to do without
    /// waiting for others.
    pub fn answers(
        &self,
        method: Method,
        address: &str,
        headers: Headers<'_>,
        body: &[u8],
    ) -> Response {
        let url = format!("http://{address}");
        let request = Request::new(method, &url, headers, body).unwrap();
        let random = || self.draws();
        let moment = Moment { now: self.now(), random: &random };
        let settings = &self.stores.settings;
        let app = App { ports: &self.stores, isolate: &self.isolate, settings, moment };
        // A test of a connector waits for its receiver.
        let answer = runs(http::respond(&app, &request));
        if let Some(errand) = answer.errand {
            let Isolate { refusals, answers, doubts, .. } = &self.isolate;
            if errands::duty(refusals, answers, doubts, errand, self.now()).contains('k') {
                block_on(errands::keep_answers(&self.stores, answers, || self.now(), async || ()));
            }
        }
        answer.response
    }

    /// Waits until everything is written that is written behind replies.
    pub fn settles(&self) {
        let settings = &self.stores.settings;
        self.waits_ms(settings.click_page_ms.max(errands::REFUSALS_WAIT_MS));
        let random = || self.draws();
        let moment = Moment { now: self.now(), random: &random };
        block_on(async {
            errands::write_pages(&self.stores, &self.isolate.pages, settings, moment.now).await;
            errands::refresh(&self.stores, &self.isolate.memory, moment.now).await;
            errands::count_refusals(&self.stores, &self.isolate.refusals, &moment).await;
        });
    }

    /// 32 bytes, different at each call, the same in each run.
    fn draws(&self) -> [u8; 32] {
        self.drawn.set(self.drawn.get() + 1);
        Sha256::digest(self.drawn.get().to_be_bytes()).into()
    }
}

/// Somebody who calls the API with a key.
#[derive(Clone)]
pub struct Operator<'a> {
    /// Where.
    pub world: &'a World,
    /// The key.
    pub key: String,
    /// `X-Backtrail-Namespace`; empty to send none.
    pub namespace: String,
}

impl<'a> Operator<'a> {
    /// The same place, with another key and without naming a namespace.
    pub fn with_key(&self, key: &Value) -> Operator<'a> {
        Operator { key: key.as_str().unwrap().into(), namespace: String::new(), world: self.world }
    }

    /// 200 on GET.
    pub fn sees(&self, path: &str) -> Value {
        self.calls(Method::Get, path, None, 200)
    }

    /// 200 on GET of a list: its objects.
    pub fn lists(&self, path: &str) -> Vec<Value> {
        self.sees(path)["data"].as_array().unwrap().clone()
    }

    /// 201 on POST.
    pub fn creates(&self, path: &str, body: Value) -> Value {
        self.calls(Method::Post, path, Some(body), 201)
    }

    /// 200 on PATCH.
    pub fn changes(&self, path: &str, body: Value) -> Value {
        self.calls(Method::Patch, path, Some(body), 200)
    }

    /// 204 on DELETE.
    pub fn removes(&self, path: &str) {
        let response = self.sends(Method::Delete, path, None, "");
        assert_eq!((response.status, response.body), (204, Body::Empty), "{path}");
    }

    /// A problem of this status and code.
    pub fn is_refused(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        (status, code): (u16, &str),
    ) -> Value {
        let problem = self.calls(method, path, body, status);
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        problem
    }

    /// 422, with exactly these `field: code` faults in any order.
    pub fn is_told(&self, method: Method, path: &str, body: Value, faults: &[&str]) -> Value {
        let problem = self.is_refused(method, path, Some(body), (400, "invalid_fields"));
        let word = |fault: &Value, name: &str| fault[name].as_str().unwrap().to_owned();
        let mut told: Vec<String> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|fault| format!("{}: {}", word(fault, "field"), word(fault, "code")))
            .collect();
        told.sort();
        assert_eq!(told, faults, "{problem}");
        problem
    }

    /// Any call, with the status that is expected and the JSON that came.
    pub fn calls(&self, method: Method, path: &str, body: Option<Value>, status: u16) -> Value {
        json_of(&self.sends(method, path, body, ""), status)
    }

    /// Any call, with an `Idempotency-Key`.
    pub fn sends(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        idempotency_key: &str,
    ) -> Response {
        let authorization = format!("Bearer {}", self.key);
        let headers = Headers {
            authorization: &authorization,
            content_type: if body.is_some() { "application/json" } else { "" },
            namespace: &self.namespace,
            idempotency_key,
            ..Headers::default()
        };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let address = format!("backtrail.example.com/api/v1/{path}");
        self.world.answers(method, &address, headers, body.as_bytes())
    }
}

/// The JSON of a response of this status.
pub fn json_of(response: &Response, status: u16) -> Value {
    let Body::Text(text) = &response.body else { panic!("no text: {response:?}") };
    assert_eq!(response.status, status, "{text}");
    serde_json::from_str(text).unwrap()
}

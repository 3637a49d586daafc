//! A namespace whose outbox has something in it, and the sender.

use std::cell::{Cell, RefCell};

use backtrail::app::deliver::{self, Means, Run};
use backtrail::app::outlived::tidy_up;
use backtrail::domain::connector::render::Outgoing;
use serde_json::{Value, json};

use super::receivers::{Reaction, runs};
use super::{Edge, Operator, World};

/// The namespace `demo`, and an isolate that sends.
pub struct Sending<'w> {
    /// Where it runs.
    pub edge: Edge<'w>,
    /// Somebody with the root key.
    pub operator: Operator<'w>,
    /// In how many milliseconds the sender wanted to be woken, each time.
    pub wakes: RefCell<Vec<u64>>,
    /// What the invocation has asked of the ledger before the sender runs.
    pub spent: Cell<usize>,
    inserted: Cell<u32>,
    space: Cell<&'static str>,
}

/// A webhook without anything but an address: a GET.
pub fn get(url: &str) -> Value {
    json!({ "method": "GET", "url": url, "parameters": [], "headers": [] })
}

/// One that posts a form with the event's value.
pub fn post(url: &str) -> Value {
    let value = json!([{ "name": "value", "value": "{{VALUE}}" }]);
    json!({ "method": "POST", "url": url, "parameters": value })
}

impl<'w> Sending<'w> {
    /// An empty outbox.
    pub fn of(world: &'w World) -> Self {
        let operator = world.operator_of("demo");
        Self {
            edge: Edge::of(world),
            operator,
            wakes: RefCell::default(),
            spent: Cell::new(0),
            inserted: Cell::new(0),
            space: Cell::new("demo"),
        }
    }

    /// The same where the namespace is there already.
    pub fn beside_of(world: &'w World) -> Self {
        let operator = Operator { namespace: "demo".into(), ..world.root() };
        Self {
            edge: Edge::of(world),
            operator,
            wakes: RefCell::default(),
            spent: Cell::new(0),
            inserted: Cell::new(0),
            space: Cell::new("demo"),
        }
    }

    /// The same outbox, and another isolate that sends.
    pub fn beside(&self) -> Self {
        let world = self.edge.world;
        let operator = self.operator.clone();
        Self {
            edge: Edge::of(world),
            operator,
            wakes: RefCell::default(),
            spent: Cell::new(0),
            inserted: Cell::new(500),
            space: Cell::new("demo"),
        }
    }

    /// What follows is of another namespace, which is new if nobody has spoken of it.
    pub fn speaks_of(&self, space: &'static str) {
        self.space.set(space);
    }

    /// Where it is.
    pub fn world(&self) -> &'w World {
        self.edge.world
    }

    /// Runs SQL past the Worker.
    pub fn execute(&self, sql: &str) {
        self.world().database().execute(sql);
    }

    /// A connector with this webhook.
    pub fn has_connector(&self, id: u32, mode: &str, webhook: &Value) {
        let webhook = webhook.to_string().replace('\'', "''");
        let space = self.space.get();
        self.execute(&format!(
            "INSERT INTO connectors (namespace, id, name, mode, events, webhook, is_webhook_on, created_at) \
             VALUES ('{space}', {id}, 'c', '{mode}', '[\"Purchase\"]', '{webhook}', 1, 1)"
        ));
    }

    /// Puts some deliveries of a connector into the outbox, due now.
    pub fn has_waiting(&self, connector: u32, count: u32) {
        self.has_waiting_with(connector, count, "webhook", "NULL", r#"{"VALUE":"15"}"#, "NULL");
    }

    /// The same with a kind, a click, values and personal values, all but the first two as SQL.
    pub fn has_waiting_with(
        &self,
        connector: u32,
        count: u32,
        kind: &str,
        click: &str,
        values: &str,
        personal: &str,
    ) {
        let (now, space) = (self.world().now().ms(), self.space.get());
        for _ in 0..count {
            self.inserted.set(self.inserted.get() + 1);
            let number = self.inserted.get();
            self.execute(&format!(
                "INSERT INTO deliveries (namespace, delivery_id, connector_id, kind, event_name, happened_at, click_id, \
                 \"values\", personal, state, due_at, created_at) VALUES ('{space}', printf('msg_%012x%020x', {now}, {number}), \
                 {connector}, '{kind}', 'Purchase', {now}, {click}, '{values}', {personal}, 'waiting', {now}, {now})"
            ));
        }
    }

    /// The sender, once.
    pub async fn sends_once(&self) -> Run {
        let random = || self.edge.draws();
        let clock = || self.world().now();
        let means = Means {
            settings: &self.edge.stores.settings,
            clock: &clock,
            random: &random,
            place: &self.edge.isolate.place,
            spent: self.spent.get(),
        };
        let wake = async |delay_ms| self.wakes.borrow_mut().push(delay_ms);
        deliver::run(&self.edge.stores, &means, wake).await
    }

    /// Lets the sender run to its end.
    pub fn sends(&self) -> Run {
        runs(self.sends_once())
    }

    /// The cron job's cleaning.
    pub fn tidies_up(&self) {
        runs(tidy_up(&self.edge.stores, &self.edge.isolate.swept, self.world().now()));
    }

    /// How a receiver reacts from now on.
    pub fn reacts(&self, text: &str, reaction: Reaction) {
        self.world().receivers.reacts(text, reaction);
    }

    /// What receivers got.
    pub fn got(&self) -> Vec<Outgoing> {
        self.world().receivers.got()
    }

    /// What became of the deliveries of a connector, the oldest first.
    pub fn deliveries(&self, connector: u32) -> Vec<Value> {
        let space = self.space.get();
        self.world().database().rows(&format!(
            "SELECT * FROM deliveries WHERE namespace = '{space}' AND connector_id = {connector} ORDER BY delivery_id"
        ))
    }

    /// Their states.
    pub fn states(&self, connector: u32) -> Vec<String> {
        let state = |row: &Value| row["state"].as_str().unwrap().to_owned();
        self.deliveries(connector).iter().map(state).collect()
    }

    /// The log of a connector, the oldest first.
    pub fn log(&self, connector: u32) -> Vec<Value> {
        let space = self.space.get();
        self.world().database().rows(&format!(
            "SELECT a.* FROM deliveries AS d JOIN attempts AS a ON a.namespace = d.namespace AND a.delivery_id = d.delivery_id \
             WHERE d.namespace = '{space}' AND d.connector_id = {connector} ORDER BY a.delivery_id, a.attempt"
        ))
    }

    /// Waits until the only delivery of a connector is due, and says for how long.
    pub fn waits_until_due(&self, connector: u32) -> u64 {
        let due_at = self.deliveries(connector)[0]["due_at"].as_u64().unwrap();
        let wait = due_at - self.world().now().ms();
        self.world().waits_ms(wait);
        wait
    }
}

/// The value of a header that was sent.
pub fn header<'r>(request: &'r Outgoing, name: &str) -> &'r str {
    let found = request.headers.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value.as_str())
}

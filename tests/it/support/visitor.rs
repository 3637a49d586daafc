//! A visitor whose browser runs the site script, and what connectors do about it.

use std::cell::RefCell;

use backtrail::app::deliver::{Means, Run, run};
use backtrail::http::request::{Headers, Method};
use backtrail::http::response::Response;
use serde_json::{Value, json};

use super::receivers::runs;
use super::shop::person;
use super::world::json_of;
use super::{Shop, World};

/// Where the shop's pages are.
pub const ORIGIN: &str = "https://shop.example";

/// The shop of a world, which lists its pages and counts what they report.
pub fn open(world: &World) -> Shop<'_> {
    let campaign = json!({ "is_pixel_allowed": true, "is_amount_trusted": true, "site_events": { "Lead": "initial" } });
    let shop = Shop::with(world, campaign);
    shop.operator.changes("namespaces/demo", json!({ "collect_origins": [ORIGIN] }));
    world.waits_ms(30_001);
    shop
}

/// A browser with a cookie of the shop's.
pub struct Visitor<'s, 'w> {
    /// Where it is.
    pub shop: &'s Shop<'w>,
    /// Its name.
    pub name: String,
    /// `Sec-GPC`.
    pub gpc: &'static str,
}

impl<'s, 'w> Visitor<'s, 'w> {
    /// The visitor of a number.
    pub fn of(shop: &'s Shop<'w>, number: u8) -> Self {
        Self { shop, name: format!("{number:032x}"), gpc: "" }
    }

    /// Reports something; the answer as it came.
    pub fn sends(&self, mut body: Value) -> Response {
        body["visitor"] = self.name.as_str().into();
        let headers = Headers { origin: ORIGIN, gpc: self.gpc, ..person() };
        let address = format!("{}/collect", self.shop.host);
        self.shop.edge.answers(Method::Post, &address, headers, body.to_string().as_bytes())
    }

    /// Reports something that is received.
    pub fn reports(&self, body: Value) -> Value {
        json_of(&self.sends(body), 200)
    }

    /// Arrives at an address of the shop.
    pub fn arrives(&self, query: &str) {
        let answer = self.reports(json!({ "arrival": format!("{ORIGIN}/?{query}") }));
        assert_eq!(answer["is_arrival_kept"], true);
    }

    /// Tells of an event; the pixels that the page is to run.
    pub fn tracks(&self, event: &str, data: Value) -> Vec<Value> {
        let answer = self.reports(json!({ "event": event, "data": data }));
        answer["pixels"].as_array().unwrap().clone()
    }
}

impl Shop<'_> {
    /// A connector that is enabled, with a webhook to `https://{name}.receiver.example/` where it
    /// has parameters.
    pub fn connects(&self, name: &str, parameters: &[&str], more: Value) -> Value {
        let list = parameters.iter().map(|value| {
            let key = value.trim_matches(['{', '}']).to_ascii_lowercase();
            json!({ "name": key, "value": value })
        });
        let mut connector =
            json!({ "name": name, "mode": "enabled", "events": ["Lead", "Purchase"] });
        if !parameters.is_empty() {
            let url = format!("https://{name}.receiver.org/");
            connector["webhook"] =
                json!({ "method": "GET", "url": url, "parameters": list.collect::<Value>() });
            connector["is_webhook_on"] = true.into();
        }
        for (field, value) in more.as_object().unwrap() {
            connector[field] = value.clone();
        }
        let made = self.operator.creates("connectors", connector);
        self.world().waits_ms(30_001);
        made
    }

    /// Lets the sender run to its end.
    pub fn delivers(&self) -> Run {
        let random = || self.edge.draws();
        let clock = || self.world().now();
        let place = RefCell::default();
        let means = Means {
            settings: &self.edge.stores.settings,
            clock: &clock,
            random: &random,
            place: &place,
            spent: 0,
        };
        runs(run(&self.edge.stores, &means, async |_| ()))
    }

    /// The queries that the receiver of a connector got, in order.
    pub fn got(&self, name: &str) -> Vec<String> {
        let prefix = format!("https://{name}.receiver.org/?");
        let got = self.world().receivers.got();
        got.iter().filter_map(|one| one.url.strip_prefix(&prefix)).map(str::to_owned).collect()
    }

    /// What became of each delivery of a connector, the oldest first.
    pub fn states(&self, connector: &Value) -> Vec<String> {
        let sql = "SELECT state FROM deliveries WHERE connector_id =";
        let rows =
            self.rows(&format!("{sql} {} ORDER BY created_at, delivery_id", connector["id"]));
        rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    }
}

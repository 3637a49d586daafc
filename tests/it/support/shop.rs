//! A namespace that is ready for business, the visitors who follow its links, and the advertiser's
//! server that reports what they did.

use backtrail::http::request::{Headers, Method};
use backtrail::http::response::{Body, Response};
use serde_json::{Value, json};

use super::world::json_of;
use super::{Edge, Operator, World};

/// A browser as people have it.
pub const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 \
     (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";

/// The token of campaign 1.
pub const TOKEN: &str = "btp_campaign-1-0123456789abcdefghijklmn";

/// Where the advertiser's server is.
pub const SERVER: &str = "198.51.100.20";

/// The headers of a person's visit.
pub fn person() -> Headers<'static> {
    Headers { client_ip: "203.0.113.7", user_agent: CHROME, country: "DE", ..Headers::default() }
}

/// The headers of the advertiser's server.
pub fn server() -> Headers<'static> {
    Headers { client_ip: SERVER, user_agent: "shop/1.0", ..Headers::default() }
}

/// One namespace: advertiser 1 with campaign 1, affiliates 1 (Ann) and 2 (Bea) with links 1 and 2
/// of it, landing page 1, and a token of the campaign.
pub struct Shop<'w> {
    /// The isolate that answers.
    pub edge: Edge<'w>,
    /// Who set it up, in an isolate of its own.
    pub operator: Operator<'w>,
    /// Its tracking host.
    pub host: String,
}

impl<'w> Shop<'w> {
    /// The namespace `demo`; payout 5 USD, revenue 8 USD, one conversion per click, by token.
    pub fn open(world: &'w World) -> Self {
        Self::with(world, json!({}))
    }

    /// The same with other settings of campaign 1.
    pub fn with(world: &'w World, campaign: Value) -> Self {
        Self::named(world, "demo", campaign)
    }

    /// The same under another name.
    pub fn named(world: &'w World, name: &str, campaign: Value) -> Self {
        let operator = world.operator_of(name);
        operator.creates("advertisers", json!({ "name": "Shop" }));
        let mut fields = json!({
            "name": "Shoes", "advertiser_id": 1, "currency": "USD", "authentication": "token",
            "payout_fixed": "5.00", "revenue_fixed": "8.00",
        });
        for (field, value) in campaign.as_object().unwrap() {
            fields[field] = value.clone();
        }
        operator.creates("campaigns", fields);
        let token = json!({ "level": "campaign", "level_id": 1, "token": TOKEN });
        operator.creates("tokens", token);
        let page = json!({ "campaign_id": 1, "name": "home", "url": "https://shop.example/" });
        operator.creates("landing-pages", page);
        for (index, affiliate) in ["Ann", "Bea"].into_iter().enumerate() {
            operator.creates("affiliates", json!({ "name": affiliate }));
            let link = json!({ "campaign_id": 1, "affiliate_id": index + 1 });
            operator.creates("links", link);
        }
        let host = format!("{name}-tracking.example.com");
        Self { edge: Edge::of(world), operator, host }
    }

    /// Where it is.
    pub fn world(&self) -> &'w World {
        self.edge.world
    }

    /// Changes campaign 1, and lets every isolate notice.
    pub fn changes_campaign(&self, changes: Value) {
        self.operator.changes("campaigns/1", changes);
        self.world().waits_ms(30_001);
    }

    /// A GET by a person.
    pub fn visits(&self, path_and_query: &str) -> Response {
        self.visits_with(person(), path_and_query)
    }

    /// A GET with these headers.
    pub fn visits_with(&self, headers: Headers<'_>, path_and_query: &str) -> Response {
        self.edge.answers(Method::Get, &format!("{}{path_and_query}", self.host), headers, b"")
    }

    /// Where a click with this query leads.
    pub fn follows(&self, query: &str) -> String {
        location(&self.visits(&format!("/click?{query}")))
    }

    /// A person's click on a link, which opens the shop with a click_id.
    pub fn clicks(&self, ref_id: u32) -> String {
        self.clicks_with(person(), ref_id)
    }

    /// The same with other headers.
    pub fn clicks_with(&self, headers: Headers<'_>, ref_id: u32) -> String {
        let response = self.visits_with(headers, &format!("/click?campaign_id=1&ref_id={ref_id}"));
        id_in(&location(&response))
    }

    /// A GET of `/postback` by the advertiser's server.
    pub fn asks(&self, query: &str) -> Response {
        self.asks_with(server(), query)
    }

    /// The same with other headers.
    pub fn asks_with(&self, headers: Headers<'_>, query: &str) -> Response {
        self.visits_with(headers, &format!("/postback?{query}"))
    }

    /// A POST by the advertiser's server.
    pub fn posts(&self, path_and_query: &str, content_type: &str, body: &[u8]) -> Response {
        let headers = Headers { content_type, ..server() };
        self.edge.answers(Method::Post, &format!("{}{path_and_query}", self.host), headers, body)
    }

    /// A postback with the campaign's token that is answered with this status; its body.
    pub fn reports(&self, status: u16, query: &str) -> Value {
        json_of(&self.asks(&format!("{query}&token={TOKEN}")), status)
    }

    /// A postback with the campaign's token that is refused with this reason; its body.
    pub fn is_refused(&self, (status, reason): (u16, &str), query: &str) -> Value {
        let body = self.reports(status, query);
        assert_eq!((&body["verdict"], &body["reason"]), (&json!("rejected"), &json!(reason)));
        body
    }

    /// The rows of a query on the ledger.
    pub fn rows(&self, sql: &str) -> Vec<Value> {
        self.world().database().rows(sql)
    }

    /// The only value of the only row of a query.
    pub fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
        rows[0].as_object().unwrap().values().next().unwrap().clone()
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> u64 {
        self.value(&format!("SELECT COUNT(*) FROM {table}")).as_u64().unwrap()
    }
}

/// Where a redirect leads.
pub fn location(response: &Response) -> String {
    assert_eq!(response.status, 302, "{response:?}");
    response.header("location").unwrap().to_owned()
}

/// The values of `Set-Cookie`, in order.
pub fn cookies(response: &Response) -> Vec<&str> {
    let set = response.headers.iter().filter(|(name, _)| *name == "set-cookie");
    set.map(|(_, value)| value.as_str()).collect()
}

/// The click_id in an address.
pub fn id_in(location: &str) -> String {
    let (_, rest) = location.split_once("click_id=").unwrap_or_else(|| panic!("{location}"));
    let id = &rest[..rest.find(['&', '#']).unwrap_or(rest.len())];
    assert_eq!(id.len(), 48, "{location}");
    id.to_owned()
}

/// The text of a response.
pub fn text(response: &Response) -> &str {
    match &response.body {
        Body::Text(text) => text,
        other => panic!("no text: {other:?}"),
    }
}

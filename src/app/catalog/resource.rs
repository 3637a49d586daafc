//! How a resource is described: one table of fields, from which bodies are validated, SQL is
//! written and JSON is rendered.

/// An object as it is stored: column name to value. Amounts are minor units, percentages basis
/// points, flags 0 or 1, lists and maps JSON text.
pub type Record = serde_json::Map<String, serde_json::Value>;

/// What a value of a field has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What people call it: 1–200 characters.
    Name,
    /// A text that is looked up, 1–128 characters.
    Code,
    /// The name of a namespace.
    NamespaceName,
    /// A custom domain.
    Hostname,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// True or false.
    Flag,
    /// True or false: at most one of those that agree in these fields is true.
    Default(&'static [&'static str]),
    /// An integer between two bounds.
    Count(i64, i64),
    /// The id of an object of another resource.
    Reference(&'static str),
    /// The id of an object of another resource, or null for all of them (stored as 0).
    Limit(&'static str),
    /// The default link of `affiliate_id` in the campaign, taken over when that is set; 0 without
    /// an affiliate. Only shown.
    DefaultLink,
    /// The id of the advertiser, campaign or event that a token's level asks for.
    TokenOwner,
    /// A currency's code.
    Currency,
    /// An amount in the campaign's currency.
    Money,
    /// A percentage.
    Percent,
    /// A rate of exchange.
    Rate,
    /// IANA's name of a time zone.
    TimeZone,
    /// A landing page's address with macros.
    LandingPage,
    /// The address for clicks without a destination, with macros.
    TrafficBack,
    /// The name of a query parameter.
    ParameterName,
    /// A list without repeats.
    List(Item),
    /// Names and values.
    Map(Entry),
    /// The currency of the campaign that `campaign_id` names, taken over at creation. Only shown.
    CampaignCurrency,
    /// The name of an event, as postbacks send it.
    EventName,
    /// A secret, of which only a hash is stored, in column `hash`. The text begins generated ones.
    Secret(&'static str),
    /// A secret that Backtrail generates, of which only what it follows from is stored, in column
    /// `derivation`.
    SigningSecret,
    /// An instant.
    Time,
    /// An amount with its currency. Only shown.
    Price,
    /// What is used of a cap in its current period: a number, or an amount in the campaign's
    /// currency. Not stored with it, and only shown.
    Used,
    /// JSON that is stored as text. Only shown.
    Json,
}

/// What the items of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// A CIDR network or single address.
    Network,
    /// A host, or `*.` and a host for its subdomains.
    HostPattern,
    /// A URL scheme of apps.
    AppScheme,
    /// The origin of a web page.
    Origin,
    /// The canonical name of a postback's parameter.
    PostbackParameter,
    /// A scope of a key.
    Scope,
    /// A country of ISO 3166.
    Country,
    /// A parameter that says whom to credit.
    Way,
    /// The number of a network (autonomous system), as `AS64496`.
    NetworkNumber,
}

/// What the values of a map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Query parameters of deep links, as templates.
    DeepLinkParameter,
    /// Names of site events, and what they become.
    SiteEvent,
    /// Words for statuses, and the statuses.
    StatusWord,
    /// Canonical names of a postback's parameters, and what the advertiser has for each.
    EventParameter,
}

/// What an absent field is on creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// A fault.
    Refused,
    /// Null; such a field may be sent as null as well.
    Null,
    /// This text, as stored.
    Text(&'static str),
    /// This number, as stored.
    Number(i64),
}

/// Who may write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writable {
    /// Creation and change.
    Always,
    /// Creation only.
    Once,
    /// Nobody.
    Never,
}

/// One field; its name is its column's name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// In JSON and in SQL.
    pub name: &'static str,
    /// What a value has to be.
    pub kind: Kind,
    /// What it is if it was not sent.
    pub absent: Absent,
    /// Who may write it.
    pub writable: Writable,
    /// Whether lists can be filtered by it.
    pub is_filter: bool,
}

impl Field {
    /// A field that has to be sent.
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, absent: Absent::Refused, writable: Writable::Always, is_filter: false }
    }

    /// A field that may be null.
    pub const fn nullable(name: &'static str, kind: Kind) -> Self {
        Self { absent: Absent::Null, ..Self::required(name, kind) }
    }

    /// A field with a text (or list or map, as JSON) as its default.
    pub const fn text(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self { absent: Absent::Text(default), ..Self::required(name, kind) }
    }

    /// A field with a number as its default.
    pub const fn number(name: &'static str, kind: Kind, default: i64) -> Self {
        Self { absent: Absent::Number(default), ..Self::required(name, kind) }
    }

    /// A field that Backtrail writes.
    pub const fn shown(name: &'static str, kind: Kind) -> Self {
        Self { writable: Writable::Never, ..Self::nullable(name, kind) }
    }

    /// The same, never changed after creation.
    #[must_use]
    pub const fn once(self) -> Self {
        Self { writable: Writable::Once, ..self }
    }

    /// The same, a filter of lists.
    #[must_use]
    pub const fn filter(self) -> Self {
        Self { is_filter: true, ..self }
    }

    /// The column that holds it.
    pub const fn column(&self) -> &'static str {
        match self.kind {
            Kind::Secret(_) => "hash",
            Kind::SigningSecret => "derivation",
            _ => self.name,
        }
    }
}

/// A bound on how many objects an owner has at once, because a copy of the configuration holds all
/// of them.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// The column of the owner within the namespace; without one the namespace is it.
    pub owner: Option<&'static str>,
    /// A column that is never null. The store leaves it null, and thereby refuses the write, where
    /// the owner has so many already.
    pub column: &'static str,
    /// Whether only active ones count; then `column` is the state.
    pub is_of_active: bool,
    /// The most objects.
    pub most: u32,
}

/// What `DELETE` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It is not allowed.
    Refused,
    /// The row goes.
    Deleted,
    /// The row stays and says since when it is not valid any more.
    Revoked,
}

/// A resource of the API and the table of the same name.
#[derive(Debug)]
pub struct Resource {
    /// The name in paths; the table's name has `_` for `-`.
    pub name: &'static str,
    /// One of it, in a sentence.
    pub singular: &'static str,
    /// The column that names an object within a namespace, and orders lists.
    pub key: &'static str,
    /// The column that holds the namespace.
    pub scope: &'static str,
    /// Every field, in the order of reading.
    pub fields: &'static [Field],
    /// What `DELETE` does.
    pub removal: Removal,
    /// How many can be created by one request.
    pub most_at_once: usize,
    /// How many an owner may have, where that is bounded.
    pub bound: Option<Bound>,
}

impl Resource {
    /// A resource whose ids are integers per namespace, counted from 1.
    pub const fn numbered(
        name: &'static str,
        singular: &'static str,
        fields: &'static [Field],
    ) -> Self {
        Self {
            name,
            singular,
            key: "id",
            scope: "namespace",
            fields,
            removal: Removal::Refused,
            most_at_once: 1,
            bound: None,
        }
    }

    /// Whether ids are integers.
    pub fn is_numbered(&self) -> bool {
        self.key == "id"
    }

    /// Whether anything of an object can change.
    pub fn is_changeable(&self) -> bool {
        self.fields.iter().any(|field| field.writable == Writable::Always)
    }

    /// The table.
    pub fn table(&self) -> String {
        self.name.replace('-', "_")
    }

    /// A field by its name.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The field that is a secret.
    pub fn secret(&self) -> Option<&'static Field> {
        let is_secret = |kind| matches!(kind, Kind::Secret(_) | Kind::SigningSecret);
        self.fields.iter().find(|field| is_secret(field.kind))
    }

    /// The default-flag, and the fields in which those that share one agree.
    pub fn default_flag(&self) -> Option<(&'static Field, &'static [&'static str])> {
        self.fields.iter().find_map(|field| match field.kind {
            Kind::Default(owner) => Some((field, owner)),
            _ => None,
        })
    }
}

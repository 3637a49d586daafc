//! One postback as typed values (wire.md 5), parsed once at the door.

mod mapping;

use super::event::{self, Event};
use super::money::{Currency, Decimal};
use super::parameters::Parameters;
use super::time::{MINUTE_MS, Timestamp};
use super::verdict::{Reason, Refusal, words};

words! {
    /// How the sender wants the reply. The status code is the same in each.
    ReplyFormat {
        /// The whole body.
        Json = "json",
        /// One line: verdict and reason.
        Text = "text",
        /// A pixel.
        Gif = "gif",
    }
}

/// `order_id` has 1 to 128 bytes.
const MAX_ORDER_ID: usize = 128;

/// `customer_id` has 1 to 128 characters, as a customer whom an operator enters.
const MAX_CUSTOMER_ID: usize = 128;

/// How far ahead of the clock `occurred_at` may be.
const MAX_AHEAD_MS: u64 = 5 * MINUTE_MS;

/// The parameters of a postback, each either absent or valid.
#[derive(Clone, Debug, Default)]
pub struct Postback {
    /// The click it reports on, unverified.
    pub click_id: Option<String>,
    /// The campaign.
    pub campaign_id: Option<u32>,
    /// Whom to credit without a click.
    pub affiliate_id: Option<u32>,
    /// The link (or affiliate) to credit without a click.
    pub ref_id: Option<u32>,
    /// The affiliate's custom id, to credit without a click.
    pub ref_custom_id: Option<String>,
    /// A coupon code.
    pub coupon: Option<String>,
    /// The merchant's customer.
    pub customer_id: Option<String>,
    /// Whether this is the customer's first purchase.
    pub is_new_customer: bool,
    /// Whether no lifetime payout shall apply.
    pub skips_lifetime: bool,
    /// The order of an existing conversion.
    pub parent_order_id: Option<String>,
    /// The merchant's order.
    pub order_id: Option<String>,
    /// What the customer paid.
    pub amount: Option<Decimal>,
    /// The base of percentages instead of `amount`.
    pub commission: Option<Decimal>,
    /// The currency of `amount` and `commission`.
    pub currency: Option<Currency>,
    /// The caller's own rate into the campaign's currency.
    pub conversion_rate: Option<Decimal>,
    /// Explicit revenue in the campaign's currency.
    pub revenue: Option<Decimal>,
    /// Explicit payout in the campaign's currency.
    pub payout: Option<Decimal>,
    /// Selects payout rules.
    pub goal: Option<String>,
    /// The number of an event.
    pub event_id: Option<u32>,
    /// The name of an event.
    pub event_name: Option<String>,
    /// The status as the sender calls it.
    pub status: Option<String>,
    /// Why that status.
    pub reason: Option<String>,
    /// Creates the conversion as rejected, for this reason.
    pub third_party_rejected_reason: Option<String>,
    /// Rejects an existing conversion, for this reason.
    pub new_rejected_reason: Option<String>,
    /// Whether that rejects every conversion of the click.
    pub is_all_events: bool,
    /// Tells partial refunds apart.
    pub refund_id: Option<String>,
    /// When it happened.
    pub occurred_at: Option<Timestamp>,
    /// The token, in plain text; dropped before anything is stored.
    pub token: Option<String>,
    /// When it was signed, as sent; dropped as well.
    pub timestamp: Option<String>,
    /// Shown to the affiliate.
    pub comment: Option<String>,
    /// Whether only the verdict is wanted.
    pub is_dry_run: bool,
    /// How to reply.
    pub reply_format: Option<ReplyFormat>,
    /// custom1…10 and unknown parameters.
    pub kept: Vec<(String, String)>,
    /// Every parameter that is not a secret, canonical name to value, for the inbox.
    pub stored: Vec<(String, String)>,
}

/// Parameters that prove the sender; never stored, not even where one was misspelt as `Token`.
const SECRETS: [&str; 3] = ["secure", "token", "signature"];

fn is_secret(name: &str) -> bool {
    name == "timestamp" || SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
}

impl Postback {
    /// Reads the parameters.
    ///
    /// # Errors
    /// `invalid_parameter` with the parameter's name as sent.
    pub fn read(parameters: &Parameters, now: Timestamp) -> Result<Self, Refusal> {
        let known = parameters.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let all: Vec<(String, String)> =
            known.chain(parameters.unknown().iter().cloned()).collect();
        Self::from_pairs(all, now, |canonical| parameters.wire_name(canonical).to_owned())
    }

    /// Whether it asks for a status, on which the time of asking bears.
    pub fn asks_for_status(&self) -> bool {
        self.status.is_some() || self.new_rejected_reason.is_some() || self.refund_id.is_some()
    }

    /// Reads canonical pairs again, as an inbox row keeps them.
    ///
    /// # Errors
    /// As [`Self::read`]; a row that was once read does not fail unless a bound changed since.
    pub fn from_stored(pairs: Vec<(String, String)>, now: Timestamp) -> Result<Self, Refusal> {
        Self::from_pairs(pairs, now, str::to_owned)
    }

    /// Makes it the report of an event, as if `event_id` had been sent.
    pub fn reports_event(&mut self, id: u32) {
        self.event_id = Some(id);
        self.stored.push(("event_id".to_owned(), id.to_string()));
    }

    /// The same postback with the rows of its event applied: what the advertiser calls `price` is
    /// our `amount`. Our own name wins where both are sent; the other one is then a parameter like
    /// any unknown one. `None` where no row applies.
    ///
    /// # Errors
    /// `placeholder_not_replaced` and `invalid_parameter`, with the advertiser's name.
    pub fn mapped(&self, event: &Event, now: Timestamp) -> Result<Option<Self>, Refusal> {
        if event.parameters.is_empty() {
            return Ok(None);
        }
        let (pairs, renamed) = mapping::apply(&self.stored, &event.parameters)?;
        if renamed.is_empty() {
            return Ok(None);
        }
        let wire_name = |canonical: &str| mapping::wire_name(&renamed, canonical);
        // Secrets are not among the stored parameters, and rows cannot name them.
        let mapped = Self::from_pairs(pairs, now, wire_name)?;
        Ok(Some(Self { token: self.token.clone(), ..mapped }))
    }

    fn from_pairs(
        pairs: Vec<(String, String)>,
        now: Timestamp,
        wire_name: impl Fn(&str) -> String,
    ) -> Result<Self, Refusal> {
        let reader = Reader { pairs: &pairs, wire_name: &wire_name };
        let occurred_at = reader.read(
            "occurred_at",
            "RFC 3339 or Unix seconds, at most 5 minutes ahead",
            |text| {
                Timestamp::parse(text)
                    .filter(|time| time.ms() <= now.ms().saturating_add(MAX_AHEAD_MS))
            },
        )?;
        let amount_form =
            "digits with at most 12 before and 6 after a point; no sign, comma or exponent";
        let event_form = "a whole number from 1 to 9999999999 without leading zeros";
        Ok(Self {
            click_id: reader.text("click_id"),
            campaign_id: reader.id("campaign_id")?,
            affiliate_id: reader.id("affiliate_id")?,
            ref_id: reader.id("ref_id")?,
            ref_custom_id: reader.text("ref_custom_id"),
            coupon: reader.text("coupon"),
            customer_id: reader.customer()?,
            is_new_customer: reader.flag("new_customer")?,
            skips_lifetime: reader.flag("skip_lifetime")?,
            parent_order_id: reader.order("parent_order_id")?,
            order_id: reader.order("order_id")?,
            amount: reader.read("amount", amount_form, Decimal::parse_amount)?,
            commission: reader.read("commission", amount_form, Decimal::parse_amount)?,
            currency: reader.read(
                "currency",
                "a code of ISO 4217, such as USD",
                Currency::parse,
            )?,
            conversion_rate: reader.read(
                "conversion_rate",
                "digits above zero with at most 10 after the point",
                Decimal::parse_rate,
            )?,
            revenue: reader.read("revenue", amount_form, Decimal::parse_amount)?,
            payout: reader.read("payout", amount_form, Decimal::parse_amount)?,
            goal: reader.text("goal"),
            event_id: reader.read("event_id", event_form, event::parse_id)?,
            event_name: reader.text("event_name"),
            status: reader.text("status"),
            reason: reader.text("reason"),
            third_party_rejected_reason: reader.text("third_party_rejected_reason"),
            new_rejected_reason: reader.text("new_rejected_reason"),
            is_all_events: reader.flag("all_events")?,
            refund_id: reader.text("refund_id"),
            occurred_at,
            token: reader.text("secure"),
            timestamp: reader.text("timestamp"),
            comment: reader.text("comment"),
            is_dry_run: reader.flag("dry_run")?,
            reply_format: reader.read("response", "json, text or gif", ReplyFormat::from_word)?,
            kept: pairs
                .iter()
                .filter(|(name, _)| is_kept(name) && !is_secret(name))
                .cloned()
                .collect(),
            stored: pairs.iter().filter(|(name, _)| !is_secret(name)).cloned().collect(),
        })
    }
}

/// Whether a parameter is the sender's own: custom1…10, or one that nobody knows.
fn is_kept(name: &str) -> bool {
    name.starts_with("custom") && name != "customer_id"
        || super::parameters::canonical_name(name).is_none()
}

struct Reader<'a> {
    pairs: &'a [(String, String)],
    wire_name: &'a dyn Fn(&str) -> String,
}

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }

    fn read<T>(
        &self,
        name: &str,
        form: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Refusal> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match parse(text) {
            Some(value) => Ok(Some(value)),
            None => {
                let wire = (self.wire_name)(name);
                let detail = format!("{wire} cannot be read; send {form}");
                Err(Refusal::of(Reason::InvalidParameter, &wire, detail))
            }
        }
    }

    fn id(&self, name: &str) -> Result<Option<u32>, Refusal> {
        self.read(name, "a whole number as shown in Backtrail", |text| {
            let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if is_number { text.parse().ok() } else { None }
        })
    }

    fn flag(&self, name: &str) -> Result<bool, Refusal> {
        let truth = self.read(name, "1", |text| match text {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        })?;
        Ok(truth.unwrap_or(false))
    }

    fn customer(&self) -> Result<Option<String>, Refusal> {
        self.read("customer_id", "1 to 128 characters", |text| {
            (1..=MAX_CUSTOMER_ID).contains(&text.chars().count()).then(|| text.to_owned())
        })
    }

    fn order(&self, name: &str) -> Result<Option<String>, Refusal> {
        self.read(name, "1 to 128 bytes", |text| {
            (1..=MAX_ORDER_ID).contains(&text.len()).then(|| text.to_owned())
        })
    }
}

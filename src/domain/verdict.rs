//! The outcome of a request: a verdict, for refusals the closed reason, and warnings.
//! A refusal is data; which status code it becomes is decided in `http/`, in one match.

/// What became of a postback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A new conversion was committed.
    Recorded,
    /// A known conversion was changed and the change committed.
    Updated,
    /// The same thing was reported before; nothing changed.
    Duplicate,
    /// Refused for a [`Reason`].
    Rejected,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: &'static [Self] =
        &[Self::Recorded, Self::Updated, Self::Duplicate, Self::Rejected];

    /// The word on the wire and in the inbox.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Updated => "updated",
            Self::Duplicate => "duplicate",
            Self::Rejected => "rejected",
        }
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Every word on the wire, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The word on the wire.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// The variant of a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// Why a request was refused (wire.md 6). Closed: a new reason is a change of the contract.
    Reason {
        /// A parameter that this campaign needs is absent.
        MissingParameter = "missing_parameter",
        /// A parameter's value cannot be read.
        InvalidParameter = "invalid_parameter",
        /// A value is still the placeholder of a template.
        PlaceholderNotReplaced = "placeholder_not_replaced",
        /// A status word that nobody mapped.
        UnmappedStatus = "unmapped_status",
        /// The token is missing or wrong.
        BadToken = "bad_token",
        /// The signature is missing or wrong.
        BadSignature = "bad_signature",
        /// The signed time is too far from now.
        StaleTimestamp = "stale_timestamp",
        /// The sender's address may not post here.
        IpNotAllowed = "ip_not_allowed",
        /// The host names no namespace.
        UnknownNamespace = "unknown_namespace",
        /// No such campaign in this namespace.
        UnknownCampaign = "unknown_campaign",
        /// No such event in this campaign.
        UnknownEvent = "unknown_event",
        /// No key verifies the id, and no recorded conversion bears it.
        UnknownClick = "unknown_click",
        /// No such coupon.
        UnknownCoupon = "unknown_coupon",
        /// No conversion of this order.
        UnknownOrder = "unknown_order",
        /// No such address or object.
        NotFound = "not_found",
        /// The address exists, but not for this method.
        MethodNotAllowed = "method_not_allowed",
        /// A query over 16 KiB, a body over 64 KiB or over 100 parameters.
        TooLarge = "too_large",
        /// The body's content type cannot be read.
        UnsupportedMediaType = "unsupported_media_type",
        /// The key is known with other money.
        Conflict = "conflict",
        /// The click belongs to another campaign.
        CampaignMismatch = "campaign_mismatch",
        /// Event number and event name disagree.
        EventMismatch = "event_mismatch",
        /// This status may not follow the current one.
        InvalidTransition = "invalid_transition",
        /// The refunds would exceed the sale.
        RefundTooLarge = "refund_too_large",
        /// The click is older than the campaign's window.
        ExpiredClick = "expired_click",
        /// Nothing in the request says whom to credit.
        NoAttribution = "no_attribution",
        /// An event without an initial conversion.
        NoConversionForEvent = "no_conversion_for_event",
        /// The click has its conversion already.
        RepeatedConversion = "repeated_conversion",
        /// The click has this event already.
        RepeatedEvent = "repeated_event",
        /// The coupon is not valid at this time.
        ExpiredCoupon = "expired_coupon",
        /// The campaign takes no new conversions.
        CampaignArchived = "campaign_archived",
        /// A hard cap is reached.
        Capped = "capped",
        /// No rate into the campaign's currency.
        NoExchangeRate = "no_exchange_rate",
        /// Too many requests.
        RateLimited = "rate_limited",
        /// The store did not answer; nothing was recorded.
        StorageUnavailable = "storage_unavailable",
    }
}

words! {
    /// What was odd about an accepted request. The closed list of codes in `warnings`.
    WarningCode {
        /// Digits beyond the currency's were rounded.
        Rounded = "rounded",
        /// Explicit money was sent where the campaign does not take it.
        PayoutNotAllowed = "payout_not_allowed",
        /// A field was ignored because of how the request proved itself.
        NotPermitted = "not_permitted",
        /// Query and body disagree; the body won.
        BodyWins = "body_wins",
        /// The same parameter came twice with different values; the first won (clicks only).
        RepeatedParameter = "repeated_parameter",
        /// A value was dropped because it cannot be read (clicks only).
        DroppedParameter = "dropped_parameter",
        /// More unknown parameters than are kept.
        TooManyUnknown = "too_many_unknown",
        /// The deep link is not among the campaign's hosts; the default page was used.
        DeepLinkRefused = "deep_link_refused",
        /// No such landing page; the default page was used.
        UnknownLandingPage = "unknown_landing_page",
        /// The click was stored as not counted and counts because it converted.
        ClickWasUncounted = "click_was_uncounted",
        /// Neither order nor rule tells a repeat from a new event.
        NoIdempotencyKey = "no_idempotency_key",
        /// The conversion is held because the click looks like a bot's or was embedded.
        HeldForClick = "held_for_click",
        /// The status is at most `pending` because the request proved nothing.
        StatusLimited = "status_limited",
        /// A rule of the campaign holds or rejects the conversion.
        StoppedByRule = "stopped_by_rule",
        /// The click is a test: nothing of it counts.
        TestClick = "test_click",
        /// The address of a test click does not hold; the click is an ordinary one (clicks only).
        TestRefused = "test_refused",
    }
}

/// One oddity of an accepted request, told to the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The closed code.
    pub code: WarningCode,
    /// The parameter it is about, if any.
    pub parameter: Option<String>,
    /// One sentence for a person.
    pub message: String,
}

impl Warning {
    /// A warning about a parameter.
    pub fn about(code: WarningCode, parameter: &str, message: impl Into<String>) -> Self {
        Self { code, parameter: Some(parameter.to_owned()), message: message.into() }
    }

    /// A warning about the request as a whole.
    pub fn general(code: WarningCode, message: impl Into<String>) -> Self {
        Self { code, parameter: None, message: message.into() }
    }
}

/// A refusal: the reason, the parameter at fault, and what the person who reads it should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The closed reason.
    pub reason: Reason,
    /// The parameter at fault, by its wire name as sent.
    pub parameter: Option<String>,
    /// What to do about it, for a person.
    pub detail: String,
}

impl Refusal {
    /// A refusal of the request as a whole.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, parameter: None, detail: detail.into() }
    }

    /// A refusal because of one parameter.
    pub fn of(reason: Reason, parameter: &str, detail: impl Into<String>) -> Self {
        Self { reason, parameter: Some(parameter.to_owned()), detail: detail.into() }
    }
}

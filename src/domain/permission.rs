//! What a request may do follows from how it proved itself (wire.md 7): one table.

use super::configuration::{Authentication, Campaign, SecretHash};
use super::network::{IpAddress, is_listed};
use super::signature::{self, Signed};
use super::time::Timestamp;
use super::verdict::{Reason, Refusal, words};
use subtle::ConstantTimeEq as _;

words! {
    /// How a request proved itself; the result that judging again starts from.
    Proof {
        /// Not at all: authentication `none`, pixel, `/collect`.
        Nothing = "nothing",
        /// By an address of the campaign's allow list.
        Address = "address",
        /// By a token.
        Token = "token",
        /// By a signature.
        Signature = "signature",
    }
}

/// What a request may want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Create a conversion by a click_id that verifies.
    CreateByClick,
    /// Let that conversion start as more than `pending`.
    StartAbovePending,
    /// Send `amount`, `commission`, `currency`.
    SendAmount,
    /// Create by coupon, customer, ref_id or affiliate_id, where the campaign allows it at all.
    CreateWithoutClick,
    /// Send a status, a reason, a refund or an update.
    ChangeStatus,
    /// Send `revenue`, `payout`, `conversion_rate` or `occurred_at`.
    SendExplicitMoney,
    /// Read money and affiliate in the reply, or ask for a dry run.
    SeeMoney,
}

/// The table. `campaign` matters where the contract says "where trusted" or "where allowed".
pub fn may(proof: Proof, act: Act, campaign: &Campaign) -> bool {
    use Act::{
        ChangeStatus, CreateByClick, CreateWithoutClick, SeeMoney, SendAmount, SendExplicitMoney,
        StartAbovePending,
    };
    use Proof::{Address, Nothing, Signature, Token};
    match (act, proof) {
        (CreateByClick, _) => true,
        (StartAbovePending, Nothing) => false,
        (StartAbovePending, Address | Token | Signature) => true,
        (SendAmount, Nothing) => campaign.is_amount_trusted,
        (SendAmount, Address | Token | Signature) => true,
        (CreateWithoutClick, Nothing) => false,
        (CreateWithoutClick, Address | Token | Signature) => true,
        (ChangeStatus, Nothing | Address) => false,
        (ChangeStatus, Token | Signature) => true,
        (SendExplicitMoney, Nothing | Address) => false,
        (SendExplicitMoney, Token | Signature) => campaign.is_explicit_money_allowed,
        (SeeMoney, Nothing) => false,
        (SeeMoney, Address | Token | Signature) => true,
    }
}

/// The hashes of every token that works for a postback: its event's, its campaign's, its
/// advertiser's, its operator's. The wider one works for the narrower.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokens<'a> {
    /// The operator's.
    pub of_namespace: &'a [SecretHash],
    /// The advertiser's.
    pub of_advertiser: &'a [SecretHash],
    /// The campaign's.
    pub of_campaign: &'a [SecretHash],
    /// Those of the event that the postback reports; none for an initial conversion.
    pub of_event: &'a [SecretHash],
}

impl Tokens<'_> {
    /// Whether a token's hash is one of these. Every hash is compared, each in constant time.
    pub fn accept(&self, hash: &SecretHash) -> bool {
        let wide = self.of_namespace.iter().chain(self.of_advertiser);
        let all = wide.chain(self.of_campaign).chain(self.of_event);
        all.fold(false, |found, known| found | bool::from(known.ct_eq(hash)))
    }
}

/// What a postback brings to prove itself.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The hash of its token.
    pub token_hash: Option<&'a SecretHash>,
    /// The request as it was signed.
    pub signed: &'a Signed<'a>,
    /// Its parameter `timestamp`.
    pub timestamp: Option<&'a str>,
    /// The sender's address.
    pub address: Option<IpAddress>,
}

/// Authenticates a postback for a campaign: signature or token first where one is wanted (a token
/// also where one was sent), then the lists, so that whoever lacks the secret is told the same as
/// where no campaign is.
///
/// # Errors
/// `bad_signature`, `stale_timestamp`, `bad_token` or `ip_not_allowed`; none says which secrets or
/// networks would do.
pub fn authenticate(
    campaign: &Campaign,
    tokens: &Tokens<'_>,
    presented: &Presented<'_>,
    now: Timestamp,
) -> Result<Proof, Refusal> {
    let secret = match (campaign.authentication, presented.token_hash) {
        // Where requests are signed a token neither helps nor harms, so that a sender may bring
        // both while the campaign changes over.
        (Authentication::Hmac, _) => {
            let Presented { signed, timestamp, .. } = presented;
            signature::verify(&campaign.signing_keys, signed, *timestamp, now)?;
            Some(Proof::Signature)
        }
        // A wrong token is refused even where none is wanted: the sender believes in it.
        (_, Some(hash)) if !tokens.accept(hash) => return Err(wrong_token()),
        (_, Some(_)) => Some(Proof::Token),
        (Authentication::Token, None) => return Err(missing_token()),
        (Authentication::None, None) => None,
    };
    let address = presented.address;
    let wants_address = !campaign.ip_allow.is_empty();
    let allowed = address.is_some_and(|a| is_listed(a, &campaign.ip_allow));
    if is_denied(campaign, address) || (wants_address && !allowed) {
        return Err(Refusal::new(
            Reason::IpNotAllowed,
            "this address may not post to the campaign; ask its operator to add the address of your server",
        ));
    }
    Ok(secret.unwrap_or(if wants_address { Proof::Address } else { Proof::Nothing }))
}

/// Whether a campaign's deny list names an address; one that is not known may be any of them.
fn is_denied(campaign: &Campaign, address: Option<IpAddress>) -> bool {
    match address {
        Some(address) => is_listed(address, &campaign.ip_deny),
        None => !campaign.ip_deny.is_empty(),
    }
}

/// Lets a report from a visitor's browser in, where the campaign takes such. The allow list names
/// servers, so that it says nothing about visitors; the deny list holds for everybody.
///
/// # Errors
/// `bad_token`, or `ip_not_allowed`.
pub fn authenticate_browser(
    campaign: &Campaign,
    address: Option<IpAddress>,
) -> Result<(), Refusal> {
    if !campaign.is_pixel_allowed {
        return Err(bad_token(
            "the campaign does not take conversions from browsers; its operator can allow them (is_pixel_allowed)",
        ));
    }
    if is_denied(campaign, address) {
        return Err(Refusal::new(
            Reason::IpNotAllowed,
            "this address may not report to the campaign; its operator has put it on the deny list",
        ));
    }
    Ok(())
}

/// The refusal of a request without a token. The same whether its campaign or click exists or
/// not: a stranger is not told.
pub fn missing_token() -> Refusal {
    bad_token(
        "this request needs a token: add token=… with the token that was shown when the operator created it, and check click_id and campaign_id",
    )
}

/// The refusal of a wrong token, likewise.
pub fn wrong_token() -> Refusal {
    bad_token(
        "the token is not valid for this request: it must be one of the event that it reports, the campaign, its advertiser or the namespace, as it was shown when it was created, and not revoked; check click_id and campaign_id as well",
    )
}

/// A refusal that a token would have prevented.
pub fn bad_token(detail: &str) -> Refusal {
    Refusal::of(Reason::BadToken, "token", detail)
}

//! Secrets that are shown once: sealed before they are written, revealed in the first answer.

use serde_json::Value;

use super::resource::{Kind, Record, Resource};
use super::{Place, number, sealed};
use crate::app::access::Access;
use crate::domain::click_id::Keyring;
use crate::domain::signature::Derivation;

/// The pseudo-column with the plain secret, between the store and the answer.
pub const PLAIN: &str = "plain";

/// From what secrets are made.
#[derive(Clone, Copy, Debug)]
pub struct Mint<'a> {
    /// Who will hold them.
    pub access: &'a Access,
    /// The installation's own secrets, from which those follow that it has to know later.
    pub keyring: &'a Keyring,
}

impl Mint<'_> {
    /// Puts what may be stored in the place of secrets, generating those that were not sent. Gives
    /// back the one that was sent; resources with secrets are created one by one.
    pub(super) fn seal(
        &self,
        resource: &Resource,
        records: &mut [Record],
        attempt: &str,
    ) -> Option<String> {
        let field = resource.secret()?;
        let mut supplied = None;
        for record in records {
            if let Some(Value::String(secret)) = record.remove(field.name) {
                supplied = Some(secret);
            }
            let stored = match field.kind {
                Kind::Secret(prefix) => {
                    let generate = || self.access.derive_secret(prefix, attempt);
                    sealed(&supplied.clone().unwrap_or_else(generate))
                }
                _ => Derivation::new(self.keyring, attempt).map(|new| new.to_text()).into(),
            };
            record.insert(field.column().to_owned(), stored);
        }
        supplied
    }

    /// Adds the plain secret to what was created, be it by this attempt or by an earlier one. With
    /// another key than the one that created it, a secret of which only the hash is kept stays
    /// unknown.
    pub(super) fn reveal(
        &self,
        place: Place<'_>,
        records: &mut [Record],
        attempt: &str,
        supplied: Option<&str>,
    ) {
        let Some(field) = place.resource.secret() else { return };
        for record in records {
            let stored = record.get(field.column());
            let plain = match field.kind {
                Kind::Secret(prefix) => {
                    let generate = || self.access.derive_secret(prefix, attempt);
                    let plain = supplied.map_or_else(generate, str::to_owned);
                    (stored == Some(&sealed(&plain))).then_some(plain)
                }
                _ => self.signing_secret(place, record, stored),
            };
            if let Some(plain) = plain {
                record.insert(PLAIN.to_owned(), Value::String(plain));
            }
        }
    }

    fn signing_secret(
        &self,
        place: Place<'_>,
        record: &Record,
        stored: Option<&Value>,
    ) -> Option<String> {
        let campaign_id = u32::try_from(number(record, "campaign_id")?).ok()?;
        let derivation = Derivation::parse(stored?.as_str()?)?;
        derivation.secret(self.keyring, place.namespace?, campaign_id)
    }
}

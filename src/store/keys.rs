//! The whole keyspace of the copies, on one screen: prefix, what is in it, when it expires.
//!
//! | key | value | expires |
//! | --- | --- | --- |
//! | `config/n/{namespace}` | a namespace's row | never |
//! | `config/h/{host}` | a host's row | never |
//! | `config/c/{namespace}/{campaign}` | a campaign's row | never |
//! | `config/l/{namespace}/{link}` | a link's row | never |
//! | `config/d/{namespace}/{campaign}/{affiliate}` | the row of a default link | never |
//! | `config/a/{namespace}/{advertiser}` | an advertiser's row | never |
//! | `config/o/{namespace}/{campaign}/{SHA-256 of the code}` | a coupon's row | never |
//! | `config/i/{namespace}/{SHA-256 of the custom id}` | whose custom id it is | never |
//! | `config/w/{namespace}/{affiliate}` | the row of an affiliate's connectors; of 0 those of nobody | never |
//! | `clicks/{page}` | a page of clicks | with the longest window on it |
//! | `aside/{page}` | a page that the ledger has not taken yet | never; deleted once it has |
//! | `answer/{namespace}/{conversion_id}` | a conversion's row | after 90 days |
//! | `answers/{namespace}/{time}/{parts of ids}` | rows of conversions that came in a rush | after 90 days |

use crate::app::access::hash_of;
use crate::app::memory::Wanted;
use crate::domain::namespace::Namespace;
use crate::domain::time::Timestamp;

/// What is kept aside for the cron job begins with this.
pub const ASIDE: &str = "aside/";

/// For so long a repeat is answered while the ledger is down.
pub const ANSWER_TTL_SECONDS: u64 = 90 * 86_400;

/// The key of a configuration value.
pub fn configuration(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Namespace(name) => format!("config/n/{name}"),
        Wanted::Host(host) => format!("config/h/{host}"),
        Wanted::Campaign(name, id) => format!("config/c/{name}/{id}"),
        Wanted::Link(name, id) => format!("config/l/{name}/{id}"),
        Wanted::DefaultLink(name, campaign, affiliate) => {
            format!("config/d/{name}/{campaign}/{affiliate}")
        }
        Wanted::Advertiser(name, id) => format!("config/a/{name}/{id}"),
        // A key takes 512 bytes, and people write whatever they like.
        Wanted::Coupon(name, campaign, code) => {
            format!("config/o/{name}/{campaign}/{}", hash_of(code))
        }
        Wanted::CustomId(name, custom_id) => format!("config/i/{name}/{}", hash_of(custom_id)),
        Wanted::Connectors(name, affiliate) => format!("config/w/{name}/{affiliate}"),
    }
}

/// The key of a page of clicks.
pub fn clicks(page: u64) -> String {
    format!("clicks/{page:012x}")
}

/// The key of a page that the ledger has not taken yet.
pub fn aside(page: u64) -> String {
    format!("{ASIDE}{page:012x}")
}

/// The key of a conversion's copy.
pub fn answer(namespace: &Namespace, conversion_id: &str) -> String {
    format!("answer/{namespace}/{conversion_id}")
}

/// Which characters of a conversion_id stand for it in the key of a page: 48 bits behind `cv_`.
/// 40 of them, a time and a namespace stay below the 512 bytes of a key.
const PART: std::ops::Range<usize> = 3..11;

/// The key of a page of conversions. Later pages come first in a list.
pub fn answers<'a>(
    namespace: &Namespace,
    time: Timestamp,
    conversion_ids: impl Iterator<Item = &'a str>,
) -> String {
    let remaining = ((1 << 48) - 1) - time.ms().min((1 << 48) - 1);
    let parts: String = conversion_ids.filter_map(|id| id.get(PART)).collect();
    format!("{}{remaining:012x}/{parts}", answers_of(namespace))
}

/// What the keys of a namespace's pages of conversions begin with.
pub fn answers_of(namespace: &Namespace) -> String {
    format!("answers/{namespace}/")
}

/// Whether a page of conversions has one, going by its key; two may share the part.
pub fn names_answer(key: &str, conversion_id: &str) -> bool {
    let (Some((_, parts)), Some(part)) = (key.rsplit_once('/'), conversion_id.get(PART)) else {
        return false;
    };
    parts.as_bytes().chunks(PART.len()).any(|known| known == part.as_bytes())
}

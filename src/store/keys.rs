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
//! | `clicks/{page}` | a page of clicks | with the longest window on it |
//! | `aside/{page}` | a page that the ledger has not taken yet | never; deleted once it has |
//! | `answer/{namespace}/{conversion_id}` | a conversion's row | after 90 days |

use crate::app::memory::Wanted;
use crate::domain::namespace::Namespace;

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

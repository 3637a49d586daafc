//! The addresses around deliveries and the secrets that sign them.

use crate::app::catalog::resource::Resource;
use crate::app::catalog::resources::CONNECTORS;
use crate::app::history::DELIVERIES;
use crate::http::api::Target;
use crate::http::openapi::fill;

/// All of them.
pub(super) const ALL: [Target<'static>; 5] = [
    Target::Replay(""),
    Target::Replays,
    Target::Cancelling(""),
    Target::Secret(""),
    Target::Rotation(""),
];

/// The address, and the resource whose key stands in it.
pub(super) fn path(target: Target<'_>) -> (String, Option<&'static Resource>) {
    let of_connector = |what: &str| (fill("/api/v1/connectors/{id}/%", &[what]), Some(&CONNECTORS));
    match target {
        Target::Cancelling(_) => of_connector("cancel"),
        Target::Secret(_) => of_connector("secret"),
        Target::Rotation(_) => of_connector("rotate"),
        Target::Replay(_) => {
            ("/api/v1/deliveries/{delivery_id}/replay".to_owned(), Some(&DELIVERIES))
        }
        _ => ("/api/v1/deliveries/replay".to_owned(), None),
    }
}

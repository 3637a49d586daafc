//! Query parameters of an address: added behind its query and before its fragment, or removed.

use super::{Macro, Piece, Template};
use crate::domain::encoding;

impl Template {
    /// The same address with a query parameter for the click's id, behind the query and before the
    /// fragment; unchanged if it names the id itself.
    #[must_use]
    pub fn with_click_id(&self, parameter: &str) -> Self {
        if self.mentions(Macro::ClickId) {
            return self.clone();
        }
        let mut address = Self::default();
        let mut fragment = Vec::new();
        let mut has_query = false;
        for piece in &self.pieces {
            match piece {
                _ if !fragment.is_empty() => fragment.push(piece.clone()),
                Piece::Text(text) => {
                    let (before, behind) = match text.find('#') {
                        Some(at) => text.split_at_checked(at).unwrap_or((text, "")),
                        None => (text.as_str(), ""),
                    };
                    has_query |= before.contains('?');
                    address.pieces.push(Piece::Text(before.to_owned()));
                    if !behind.is_empty() {
                        fragment.push(Piece::Text(behind.to_owned()));
                    }
                }
                _ => address.pieces.push(piece.clone()),
            }
        }
        let mut name = if has_query {
            address.pieces.push(Piece::Separator);
            String::new()
        } else {
            "?".to_owned()
        };
        encoding::encode_into(&mut name, parameter);
        name.push('=');
        address.pieces.push(Piece::Text(name));
        address.pieces.push(Piece::Value { name: Macro::ClickId, is_in_path: false });
        address.pieces.append(&mut fragment);
        address
    }
}

/// Separates what follows from an address's query.
pub(super) fn separate(location: &mut String) {
    if !location.ends_with(['?', '&']) {
        location.push('&');
    }
}

/// Adds a query parameter to an address: behind an existing query, before the fragment.
pub fn append_parameter(location: &mut String, name: &str, value: &str) {
    let fragment_at = location.find('#').unwrap_or(location.len());
    let fragment = location.split_off(fragment_at);
    match location.find('?') {
        None => location.push('?'),
        Some(_) => separate(location),
    }
    encoding::encode_into(location, name);
    location.push('=');
    encoding::encode_into(location, value);
    location.push_str(&fragment);
}

/// Removes every query parameter of a name from an address.
///
/// For a deep link that somebody copied from the address bar: it brings the click_id of an
/// earlier visit, which the shop would take for this one's.
pub fn remove_parameter(location: &mut String, name: &str) {
    let fragment_at = location.find('#').unwrap_or(location.len());
    let Some(query_at) = location.find('?').filter(|at| *at < fragment_at) else {
        return;
    };
    let is_named = |piece: &str| {
        let wire = piece.split_once('=').map_or(piece, |(wire, _)| wire);
        encoding::decode(wire).is_some_and(|wire| wire == name)
    };
    let fragment = location.split_off(fragment_at);
    let query = location.split_off(query_at);
    let query = query.strip_prefix('?').unwrap_or(&query);
    let mut separator = '?';
    for piece in query.split('&').filter(|piece| !is_named(piece)) {
        location.push(separator);
        location.push_str(piece);
        separator = '&';
    }
    location.push_str(&fragment);
}

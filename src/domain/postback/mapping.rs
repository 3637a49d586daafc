//! The rows of an event, *our field ← the advertiser's*, applied to a postback's parameters.

use crate::domain::event::Origin;
use crate::domain::parameters::is_placeholder;
use crate::domain::verdict::{Reason, Refusal};

type Pairs = Vec<(String, String)>;

/// Our parameters that were read from the advertiser's: canonical name, the advertiser's name.
pub(super) type Renamed = Vec<(String, String)>;

/// The parameters after the rows: what was read as ours is not kept beside it, unless two rows
/// read it.
pub(super) fn apply(
    stored: &[(String, String)],
    rows: &[(String, Origin)],
) -> Result<(Pairs, Renamed), Refusal> {
    let sent = |name: &str| stored.iter().find(|(n, _)| n == name).map(|(_, value)| value);
    let (mut renamed, mut read) = (Renamed::new(), Pairs::new());
    for (ours, origin) in rows {
        match (sent(ours), origin) {
            // The macro's own text: the advertiser's system did not replace it.
            (Some(value), Origin::Macro(text)) if value == text => return Err(unreplaced(ours)),
            (Some(_), _) | (None, Origin::Macro(_)) => {}
            (None, Origin::Parameter(theirs)) => {
                let Some(value) = sent(theirs) else { continue };
                if is_placeholder(value) {
                    return Err(unreplaced(theirs));
                }
                if value.contains(char::is_control) {
                    let detail = format!("The value of {theirs} contains control characters.");
                    return Err(Refusal::of(Reason::InvalidParameter, theirs, detail));
                }
                renamed.push((ours.clone(), theirs.clone()));
                read.push((ours.clone(), value.clone()));
            }
        }
    }
    let is_left = |name: &str| !renamed.iter().any(|(_, theirs)| theirs == name);
    let mut pairs: Pairs = stored.iter().filter(|(name, _)| is_left(name)).cloned().collect();
    pairs.extend(read);
    Ok((pairs, renamed))
}

/// The name under which one of ours was sent.
pub(super) fn wire_name(renamed: &Renamed, canonical: &str) -> String {
    let theirs = renamed.iter().find(|(ours, _)| ours == canonical).map(|(_, theirs)| theirs);
    theirs.map_or(canonical, |theirs| theirs.as_str()).to_owned()
}

fn unreplaced(wire: &str) -> Refusal {
    let detail = format!(
        "The value of {wire} is still a placeholder. Put the real value there, or leave the parameter out."
    );
    Refusal::of(Reason::PlaceholderNotReplaced, wire, detail)
}

//! The rules for clicks as they stand in the row of a campaign.

use serde_json::Value;

use super::json;
use crate::domain::click_rules::{Action, ClickRules};

/// The column that holds all of them, in the order in which [`click_rules`] reads them.
macro_rules! click_rules_column {
    () => {
        "json_array(too_fast_action, too_fast_seconds, duplicate_click_action, ip_cool_down_action, \
         ip_cool_down_minutes, bot_action, data_centre_action, data_centre_networks, self_referral_action) AS click_rules"
    };
}
pub(crate) use click_rules_column;

/// The rules of a campaign's row; `None` for ones that this version cannot read. A copy that an
/// earlier version wrote has none, and no rule is on.
pub(crate) fn click_rules(text: Option<&str>) -> Option<ClickRules> {
    let Some(text) = text else { return Some(ClickRules::default()) };
    let row: Value = serde_json::from_str(text).ok()?;
    let action = |place: usize| Action::from_word(row.get(place)?.as_str()?);
    let number = |place: usize| row.get(place)?.as_u64()?.try_into().ok();
    let networks = json::texts(row.get(7)?.as_str()?);
    Some(ClickRules {
        too_fast: action(0)?,
        too_fast_seconds: number(1)?,
        duplicate_click: action(2)?,
        ip_cool_down: action(3)?,
        ip_cool_down_minutes: number(4)?,
        bot: action(5)?,
        data_centre: action(6)?,
        data_centre_networks: networks
            .iter()
            .filter_map(|network| network.strip_prefix("AS")?.parse().ok())
            .collect(),
        self_referral: action(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_copied_has_no_rules_and_what_cannot_be_read_is_none() {
        assert_eq!(click_rules(None), Some(ClickRules::default()));
        let text = r#"["off",10,"hold","reject",60,"hold","off","[\"AS64496\",\"x\"]","off"]"#;
        let rules = click_rules(Some(text)).unwrap();
        assert_eq!((rules.duplicate_click, rules.ip_cool_down), (Action::Hold, Action::Reject));
        assert_eq!(rules.data_centre_networks, [64_496]);
        for text in ["", "[]", "{}", &text.replace("reject", "ban"), &text.replace("60", "-1")] {
            assert_eq!(click_rules(Some(text)), None, "{text}");
        }
    }
}

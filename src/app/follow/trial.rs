//! Which clicks are tests. Nothing is verified unless a click says that it is one.

use crate::app::settings::Settings;
use crate::domain::click_parameters::ClickParameters;
use crate::domain::configuration::Link;
use crate::domain::namespace::Namespace;
use crate::domain::test_click::{Claim, holds};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Warning, WarningCode};
use crate::domain::visit::{Uncounted, Visit};

/// Marks the visit as a test, where it is one. An address that does not hold makes an ordinary
/// click with a warning: the visitor is redirected all the same.
pub(super) fn mark(
    visit: &mut Visit,
    parameters: &mut ClickParameters<'_>,
    link: &Link,
    settings: &Settings,
    namespace: &Namespace,
    now: Timestamp,
) {
    let is_claimed = parameters.is_test && !link.is_test;
    let claim = Claim {
        expires: parameters.test_expires.as_deref(),
        signature: parameters.test_signature.as_deref(),
    };
    let is_proved = is_claimed && holds(&claim, &settings.keyring, namespace, link.id, now);
    if link.is_test || is_proved {
        visit.uncounted = Some(Uncounted::Test);
        // A test earns nothing, so that nothing of it has to be held; integrators test with tools.
        visit.is_suspected_bot = false;
    } else if is_claimed {
        let message = "the address of this test click is expired, or was not made for this link; the click is an ordinary one";
        parameters.warnings.push(Warning::about(WarningCode::TestRefused, "bt_test", message));
    }
}

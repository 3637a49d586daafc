//! The table of transitions, cell by cell.

use super::*;
use Status::{Approved, Hold, Pending, Refunded, Rejected};

/// The module's table again, as it is documented: y everyone, o operators, n nobody.
const TABLE: [(Status, [(Status, char); 5]); 5] = [
    (Pending, [(Pending, 'n'), (Approved, 'y'), (Hold, 'y'), (Rejected, 'y'), (Refunded, 'n')]),
    (Approved, [(Pending, 'o'), (Approved, 'n'), (Hold, 'y'), (Rejected, 'y'), (Refunded, 'y')]),
    (Hold, [(Pending, 'y'), (Approved, 'y'), (Hold, 'n'), (Rejected, 'y'), (Refunded, 'n')]),
    (Rejected, [(Pending, 'o'), (Approved, 'y'), (Hold, 'o'), (Rejected, 'n'), (Refunded, 'n')]),
    (Refunded, [(Pending, 'n'), (Approved, 'o'), (Hold, 'n'), (Rejected, 'n'), (Refunded, 'n')]),
];

#[test]
fn each_cell_of_the_table_is_as_documented() {
    let mut cells = 0;
    for (from, row) in TABLE {
        for (to, cell) in row {
            let (sender, operator) = match cell {
                'y' => (true, true),
                'o' => (false, true),
                _ => (false, false),
            };
            assert_eq!(may_follow(from, to, Author::Sender), sender, "{from:?} {to:?}");
            assert_eq!(may_follow(from, to, Author::Operator), operator, "{from:?} {to:?}");
            cells += 1;
        }
    }
    assert_eq!(cells, Status::ALL.len() * Status::ALL.len());
}

#[test]
fn a_refused_transition_names_both_ends_and_what_is_possible() {
    let refusal = refused(Pending, Refunded, Author::Sender);
    assert_eq!(refusal.reason, Reason::InvalidTransition);
    for word in ["pending", "refunded", "approved, hold, rejected can follow"] {
        assert!(refusal.detail.contains(word), "{}", refusal.detail);
    }
    let refusal = refused(Rejected, Hold, Author::Sender);
    assert!(refusal.detail.contains("only an operator"), "{}", refusal.detail);
    assert!(refused(Refunded, Hold, Author::Sender).detail.contains("nothing can follow"));
}

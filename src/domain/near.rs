//! How near two names are, for whoever may have mistyped one.

/// In how many steps (a character more, less or another) one name becomes the other, if it takes at
/// most `most`. Looks no further than that, so that a long list of long names costs little.
pub fn within(left: &str, right: &str, most: usize) -> Option<usize> {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    if left.len().abs_diff(right.len()) > most {
        return None;
    }
    let far = most + 1;
    let mut row: Vec<usize> = (0..=right.len()).map(|steps| steps.min(far)).collect();
    for (index, a) in left.iter().enumerate() {
        // Whatever is farther from the diagonal takes more steps than that: the cell before this
        // band is as far as can be told, and in the first column the number of characters.
        let end = index + 1 + most;
        let start = (index + 1).saturating_sub(most).max(1) - 1;
        let mut before = (index + 1).min(far);
        let start_cell = row.get_mut(start);
        let mut diagonal = start_cell.map_or(far, |cell| std::mem::replace(cell, before));
        let band = row.iter_mut().skip(1).zip(&right).skip(start).take(end - start);
        for (cell, b) in band {
            #[cfg(test)]
            tests::STEPS.set(tests::STEPS.get() + 1);
            let replaced = diagonal + usize::from(a != b);
            diagonal = *cell;
            before = replaced.min(diagonal + 1).min(before + 1).min(far);
            *cell = before;
        }
    }
    row.last().copied().filter(|steps| *steps <= most)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::template::edit_distance;

    thread_local! {
        /// Characters that this thread has compared.
        pub(crate) static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn names_of_unlike_length_are_not_compared_and_others_about_the_diagonal_only() {
        let before = STEPS.get();
        assert_eq!(within(&"A".repeat(64), &"A".repeat(61), 2), None);
        assert_eq!(STEPS.get(), before);
        assert_eq!(within(&"A".repeat(64), &"B".repeat(64), 2), None);
        assert!(STEPS.get() - before <= 64 * 5);
    }

    proptest! {
        #[test]
        fn what_is_near_is_as_far_as_it_is(left in "[ab]{0,9}", right in "[ab]{0,9}", most in 0_usize..4) {
            let distance = edit_distance(&left, &right);
            prop_assert_eq!(within(&left, &right, most), Some(distance).filter(|d| *d <= most));
        }
    }
}

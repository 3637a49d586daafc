//! What a run has to write down, in portions that the ledger takes.

use crate::app::leases::{Finished, Report};

/// So many bytes, as JSON, are written in one go; a value of D1 has at most 2,000,000.
const PORTION_BYTES: usize = 500_000;

/// Has a report written, a portion at a time; `write` says whether it did. A portion that fails keeps
/// no other from being written. What was not written, and whether all was.
pub(super) async fn in_portions(
    report: Report,
    write: impl AsyncFn(&Report) -> bool,
) -> (Report, bool) {
    let Report { finished, receivers, gone } = report;
    let mut left = Report { finished: Vec::new(), receivers, gone };
    let mut is_all = true;
    for finished in portions(finished) {
        // Receivers and connectors go with the first that can be written.
        let receivers = std::mem::take(&mut left.receivers);
        let gone = std::mem::take(&mut left.gone);
        let portion = Report { finished, receivers, gone };
        if !write(&portion).await {
            is_all = false;
            left.finished.extend(portion.finished);
            left.receivers = portion.receivers;
            left.gone = portion.gone;
        }
    }
    (left, is_all)
}

/// Parts of at most [`PORTION_BYTES`] each, in order; at least one, which may be empty.
fn portions(all: Vec<Finished>) -> Vec<Vec<Finished>> {
    let (mut portions, mut portion, mut bytes) = (Vec::new(), Vec::new(), 0);
    for finished in all {
        let more = json_bytes(&finished);
        if bytes + more > PORTION_BYTES && !portion.is_empty() {
            portions.push(std::mem::take(&mut portion));
            bytes = 0;
        }
        bytes += more;
        portion.push(finished);
    }
    portions.push(portion);
    portions
}

/// At most so many bytes a line has as JSON, where quotes and control characters are escaped.
fn json_bytes(finished: &Finished) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    let length = |text: &str| text.bytes().map(escaped).sum::<usize>();
    let attempt = finished.attempt.as_ref().map_or(0, |attempt| {
        let texts = [attempt.error.as_deref(), attempt.answer.as_deref()];
        length(&attempt.url) + texts.into_iter().flatten().map(length).sum::<usize>()
    });
    // Numbers, words, quotes and commas have less than that.
    let others = 256;
    others + finished.namespace.as_str().len() + finished.delivery_id.len() + attempt
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::app::leases::{Attempt, Becomes, Gone};
    use crate::domain::delivery::State;
    use crate::domain::namespace::Namespace;
    use crate::domain::time::Timestamp;

    fn space() -> Namespace {
        Namespace::parse("demo").unwrap()
    }

    /// So many results, whose answers have 100,000 bytes as JSON each.
    fn report(count: usize) -> Report {
        let finished = |number| Finished {
            namespace: space(),
            delivery_id: format!("{number}"),
            attempt: Some(Attempt {
                at: Timestamp::from_ms(1),
                method: "GET",
                url: String::new(),
                status: None,
                duration_ms: None,
                error: None,
                answer: Some("\u{1}\u{1}\"\"".repeat(6_250)),
            }),
            becomes: Becomes::Ended(State::Delivered),
        };
        let gone =
            Gone { namespace: space(), connector_id: 1, affiliate_id: 0, note: String::new() };
        Report {
            finished: (0..count).map(finished).collect(),
            receivers: vec![((space(), "r.example".into()), None)],
            gone: vec![gone],
        }
    }

    /// How many results each portion had, how many stayed, and with which portions the receivers went.
    fn written(count: usize, fails: &[usize]) -> (Vec<usize>, Report, Vec<usize>) {
        let seen = RefCell::new((Vec::new(), Vec::new()));
        let write = async |portion: &Report| {
            let (sizes, with) = &mut *seen.borrow_mut();
            let place = sizes.len();
            sizes.push(portion.finished.len());
            if !portion.receivers.is_empty() && !portion.gone.is_empty() {
                with.push(place);
            }
            !fails.contains(&place)
        };
        let ended =
            pin!(in_portions(report(count), write)).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready((left, is_all)) = ended else { panic!() };
        assert_eq!(is_all, fails.is_empty());
        let (sizes, with) = seen.into_inner();
        (sizes, left, with)
    }

    #[test]
    fn what_is_too_much_for_one_value_is_written_in_portions() {
        let (sizes, left, with) = written(10, &[]);
        assert_eq!((sizes, left.finished.len(), with), (vec![4, 4, 2], 0, vec![0]));
        let (sizes, _, with) = written(0, &[]);
        assert_eq!((sizes, with), (vec![0], vec![0]), "receivers alone are written as well");
    }

    #[test]
    fn a_portion_that_fails_is_kept_and_the_others_are_written() {
        let (sizes, left, with) = written(10, &[0]);
        assert_eq!(sizes, [4, 4, 2]);
        let ids: Vec<&str> = left.finished.iter().map(|one| one.delivery_id.as_str()).collect();
        assert_eq!(ids, ["0", "1", "2", "3"]);
        assert_eq!(with, [0, 1], "what concerns receivers goes with the next");
        assert!(left.receivers.is_empty() && left.gone.is_empty());
        let (_, left, _) = written(10, &[0, 1, 2]);
        assert_eq!((left.finished.len(), left.receivers.len(), left.gone.len()), (10, 1, 1));
    }
}

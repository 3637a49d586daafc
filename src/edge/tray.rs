//! The tray on which a click is handed over and its redirect is handed back: a place in memory of
//! which `tray.js` keeps a view, so that neither way allocates.

use std::cell::RefCell;

use js_sys::{Uint8Array, WebAssembly};
use wasm_bindgen::JsCast as _;

/// A click is a few hundred bytes, with twenty cookies of ours two thousand. What is longer goes the
/// way of everything else.
const BYTES: usize = 16 * 1024;

/// The place, and what was too long for it.
pub(super) struct Tray {
    bytes: RefCell<Box<[u8]>>,
    long: RefCell<String>,
}

impl Default for Tray {
    fn default() -> Self {
        Self { bytes: RefCell::new(vec![0; BYTES].into()), long: RefCell::default() }
    }
}

/// How the way back went.
pub(super) enum Handed {
    /// So many bytes lie on the tray.
    Bytes(i32),
    /// The redirect is too long, or not ASCII: `tray.js` takes bytes for letters. [`Tray::take_long`]
    /// has it.
    Long,
}

impl Tray {
    /// A view of the place, which lasts until the memory grows.
    pub(super) fn view(&self) -> Option<Uint8Array> {
        let memory: WebAssembly::Memory = wasm_bindgen::memory().dyn_into().ok()?;
        let mut bytes = self.bytes.borrow_mut();
        let start = bytes.as_mut_ptr().expose_provenance().try_into().ok()?;
        let length = bytes.len().try_into().ok()?;
        Some(Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), start, length))
    }

    /// Reads the first bytes; `None` if they are no text, or there are fewer.
    pub(super) fn read<T>(
        &self,
        length: usize,
        reader: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        reader(std::str::from_utf8(self.bytes.borrow().get(..length)?).ok()?)
    }

    /// Writes a packed redirect to the beginning: the duties, then the address and each cookie, a
    /// line each.
    pub(super) fn write(&self, duties: &str, lines: &str) -> Handed {
        let written = if lines.is_ascii() { self.put(duties, lines) } else { None };
        written.map_or_else(
            || {
                self.long.replace(format!("{duties}\n{lines}"));
                Handed::Long
            },
            Handed::Bytes,
        )
    }

    fn put(&self, duties: &str, lines: &str) -> Option<i32> {
        let mut bytes = self.bytes.borrow_mut();
        let (start, rest) = bytes.split_at_mut_checked(duties.len())?;
        let (line_feed, rest) = rest.split_first_mut()?;
        rest.get_mut(..lines.len())?.copy_from_slice(lines.as_bytes());
        *line_feed = b'\n';
        start.copy_from_slice(duties.as_bytes());
        (duties.len() + 1 + lines.len()).try_into().ok()
    }

    /// The packed redirect that was too long.
    pub(super) fn take_long(&self) -> String {
        self.long.take()
    }
}

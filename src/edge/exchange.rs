//! A place in memory through which a click is handed over and its redirect is handed back.
//! `exchange.js` keeps a view of it, so that neither way allocates.

use std::cell::RefCell;

use js_sys::{Uint8Array, WebAssembly};
use wasm_bindgen::JsCast as _;

/// A click is a few hundred bytes, with twenty cookies of ours two thousand, and JavaScript wants
/// three times as many. What is longer goes the way of everything else.
const BYTES: usize = 16 * 1024;

thread_local! {
    static PLACE: RefCell<Box<[u8]>> = RefCell::new(vec![0; BYTES].into());
}

/// A view of the place, which lasts until the memory grows.
pub(super) fn view() -> Option<Uint8Array> {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().dyn_into().ok()?;
    PLACE.with_borrow_mut(|place| {
        let start = place.as_mut_ptr().expose_provenance().try_into().ok()?;
        let length = place.len().try_into().ok()?;
        Some(Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), start, length))
    })
}

/// Reads the first bytes; `None` if they are no text, or fewer.
pub(super) fn read<T>(length: usize, reader: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    PLACE.with_borrow(|place| reader(std::str::from_utf8(place.get(..length)?).ok()?))
}

/// Writes a text to the beginning and gives its length; `None` if it is too long.
pub(super) fn write(text: &str) -> Option<i32> {
    PLACE.with_borrow_mut(|place| {
        place.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        text.len().try_into().ok()
    })
}

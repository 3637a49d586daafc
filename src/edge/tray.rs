//! The tray on which a click is handed over and its redirect is handed back: a place in memory of
//! which `tray.js` keeps a view, so that neither way allocates.

use std::cell::RefCell;

use js_sys::{Uint8Array, WebAssembly};
use wasm_bindgen::JsCast as _;

/// A click is a few hundred bytes, with twenty cookies of ours two thousand, and JavaScript wants
/// three times as many. What is longer goes the way of everything else.
const BYTES: usize = 16 * 1024;

thread_local! {
    static TRAY: RefCell<Box<[u8]>> = RefCell::new(vec![0; BYTES].into());
}

/// A view of the tray, which lasts until the memory grows.
pub(super) fn view() -> Option<Uint8Array> {
    let memory: WebAssembly::Memory = wasm_bindgen::memory().dyn_into().ok()?;
    TRAY.with_borrow_mut(|tray| {
        let start = tray.as_mut_ptr().expose_provenance().try_into().ok()?;
        let length = tray.len().try_into().ok()?;
        Some(Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), start, length))
    })
}

/// Reads the first bytes; `None` if they are no text, or the tray has fewer.
pub(super) fn read<T>(length: usize, reader: impl FnOnce(&str) -> Option<T>) -> Option<T> {
    TRAY.with_borrow(|tray| reader(std::str::from_utf8(tray.get(..length)?).ok()?))
}

/// Writes a text to the beginning and gives its length; `None` if it is too long, or not ASCII:
/// `tray.js` takes bytes for letters.
pub(super) fn write(text: &str) -> Option<i32> {
    if !text.is_ascii() {
        return None;
    }
    TRAY.with_borrow_mut(|tray| {
        tray.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        text.len().try_into().ok()
    })
}

// The tray on which a click is handed to WebAssembly and its redirect is handed back: a place in its memory (`tray.rs`). To hand
// a string over otherwise takes a loop over its letters, which is slow in an isolate that has not been optimised yet, and an
// object or two of each. A click that memory can answer needs no promise, so it is called directly.
import Framework from "../../build/index.js";

const { click, tray, longRedirect } = Framework.prototype;

// What `click` answers where its result is no length.
const LONG = -2;

// Nearly every packed redirect is shorter than 1 KiB. Of what is decoded beyond its end garbage is made, so that there are views
// in steps.
const STEP_BYTES = 64;
const STEPS = 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NO_VIEW = new Uint8Array(0);

let view = NO_VIEW;
let beginnings = [];

// A view is empty once WebAssembly's memory has grown, which even making one may do.
function renew() {
  for (let tries = 0; view.length === 0 && tries < 3; tries += 1) {
    view = tray() ?? NO_VIEW;
    beginnings = Array.from({ length: STEPS + 1 }, (_, step) => view.subarray(0, step * STEP_BYTES));
  }
}

/**
 * Follows a click, whose path begins at a place of its URL. Gives the packed redirect; null if the visitor's network has to be
 * packed as well; undefined if the click has to be answered as everything else is.
 */
export function follow(now, isHead, path, url, userAgent, referer, cookie, rest) {
  renew();
  const packed = url + userAgent + referer + cookie + rest;
  const { read, written } = encoder.encodeInto(packed, view);
  // It fits, and it is ASCII: lengths of strings are lengths in bytes. Few clicks are not.
  if (read < packed.length || written > read) return undefined;
  const length = click(now, isHead, path, url.length, userAgent.length, referer.length, cookie.length, rest.length);
  if (length === 0) return null;
  if (length === LONG) return longRedirect();
  if (length < 0) {
    // After a panic there is a new memory and this view still shows the old one. In the new one stand zeros, which are no
    // click, so this is where it is noticed.
    view = NO_VIEW;
    return undefined;
  }
  renew();
  // To decode a view that is there, and whatever lies behind the redirect, takes less than to make one for it. The redirect is
  // ASCII, so that its length in bytes is that of the string.
  const step = Math.ceil(length / STEP_BYTES);
  if (step <= STEPS) return decoder.decode(beginnings[step]).slice(0, length);
  return decoder.decode(view.subarray(0, length));
}

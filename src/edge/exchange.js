// A place in WebAssembly's memory where a click is written and its redirect is read (`exchange.rs`). To hand a string over
// otherwise takes a loop over its letters, which is slow until the runtime has optimised it, and an object or two of each.
import Framework from "../../build/index.js";

const { click, exchange, longRedirect } = Framework.prototype;

// What `click` answers where its result is no length.
const LONG = -2;

// Nearly every packed redirect is shorter.
const USUAL_BYTES = 640;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NO_PLACE = new Uint8Array(0);

let place = NO_PLACE;
let usual = NO_PLACE;

// A view is empty once WebAssembly's memory has grown.
function look() {
  if (place.length > 0) return;
  place = exchange() ?? NO_PLACE;
  usual = place.subarray(0, USUAL_BYTES);
}

/**
 * Follows a packed click. Gives the packed redirect; an empty text if the visitor's network has to be packed as well; nothing
 * if the click has to be answered as everything else is.
 */
export function follow(packed, now) {
  look();
  // In UTF-8 a letter has at most three bytes.
  if (packed.length * 3 > place.length) return undefined;
  const length = click(encoder.encodeInto(packed, place).written, now);
  if (length === LONG) return longRedirect();
  if (length < 0) {
    // After a panic there is another memory, of which this is no view; such a click is none.
    place = NO_PLACE;
    return undefined;
  }
  look();
  // To decode a view that is there, and whatever lies behind the text, takes less than to make one for the text.
  if (length <= USUAL_BYTES) return decoder.decode(usual).slice(0, length);
  return decoder.decode(place.subarray(0, length));
}

// Stands between `tray.js` and WebAssembly, so that a test can have a click trap, or the memory grow under it, and can see how
// many were answered from memory. It has to be imported before the entry, which takes `click` when it is loaded.

import Framework from "../../../build/index.js";

const { click, behind } = Framework.prototype;
// As much as WebAssembly's memory has no room for.
const LARGE = "x".repeat(32 * 1024 * 1024);

export const clicks = { trap: 0, grow: 0, answered: 0 };

Framework.prototype.click = (...numbers) => {
  if (clicks.trap > 0) {
    clicks.trap -= 1;
    throw new WebAssembly.RuntimeError("unreachable");
  }
  const answer = click(...numbers);
  if (answer > 0) clicks.answered += 1;
  if (clicks.grow > 0) {
    clicks.grow -= 1;
    // A text is copied into the memory before it is read; this one says nothing to anybody.
    behind({}, LARGE).catch(() => {});
  }
  return answer;
};

/** A number of the present instance of WebAssembly, which grows with each new one. */
export const instance = () => globalThis.__worker_init_state.instanceId;

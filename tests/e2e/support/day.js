import { eventually } from "./eventually.js";

/** So much of a day a test needs at most whose numbers belong to one day. */
const ENOUGH_MS = 60_000;

/** The date in a time zone, as `YYYY-MM-DD`. */
export function dateIn(timeZone, at = Date.now()) {
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).format(at);
}

/** Awaits the next day where the current one of a time zone is almost over, and returns the date. */
export async function fullDay(timeZone) {
  const isEnough = () => dateIn(timeZone) === dateIn(timeZone, Date.now() + ENOUGH_MS);
  await eventually("a day with a minute left", isEnough, { within: 2 * ENOUGH_MS, every: 100 });
  return dateIn(timeZone);
}

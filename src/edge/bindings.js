// KV and what else the platform has, as `store/` needs them: one call, texts in, text out. An exception
// becomes a rejected promise, which Rust sees as an error; nothing here panics.

// A store that does not answer in time has failed, as far as the caller is concerned. What was
// started goes on, which is harmless: every write may happen twice.
export function within(milliseconds, promise) {
  return new Promise((resolve, reject) => {
    const late = () => reject(new Error(`no answer within ${milliseconds} ms`));
    const timer = setTimeout(late, milliseconds);
    const settle = (how) => (value) => {
      clearTimeout(timer);
      how(value);
    };
    promise.then(settle(resolve), settle(reject));
  });
}

// The shortest time for which KV lets a place keep a value.
const CACHE_SECONDS = 30;

export async function blobGet(blobs, key, milliseconds) {
  return within(milliseconds, blobs.get(key, { cacheTtl: CACHE_SECONDS }));
}

// `keys` and the texts are lists in JSON: one crossing each way.
export async function blobGetMany(blobs, keys, milliseconds) {
  const names = JSON.parse(keys);
  const found = await within(milliseconds, blobs.get(names, { cacheTtl: CACHE_SECONDS }));
  return JSON.stringify(names.map((name) => found.get(name) ?? null));
}

export async function blobPut(blobs, key, text, ttl, milliseconds) {
  await within(milliseconds, blobs.put(key, text, ttl > 0 ? { expirationTtl: ttl } : {}));
}

export async function blobDelete(blobs, key, milliseconds) {
  await within(milliseconds, blobs.delete(key));
}

export async function blobList(blobs, prefix, most, milliseconds) {
  return JSON.stringify(await within(milliseconds, names(blobs, prefix, most)));
}

async function names(blobs, prefix, most) {
  const found = [];
  let cursor;
  do {
    // KV gives at most 1,000 keys at a time.
    const page = await blobs.list({ prefix, cursor, limit: Math.min(1000, most - found.length) });
    found.push(...page.keys.map(({ name }) => name));
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined && found.length < most);
  return found;
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// A format for each zone, because making one costs far more than using it.
const formats = new Map();

// The date in a time zone as YYYY-MM-DD; empty for a zone that the runtime does not know.
export function localDate(zone, milliseconds) {
  let format = formats.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat("en-US", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" });
    } catch {
      return "";
    }
    if (formats.size >= 200) formats.clear();
    formats.set(zone, format);
  }
  const parts = Object.fromEntries(format.formatToParts(milliseconds).map(({ type, value }) => [type, value]));
  return `${parts.year}-${parts.month}-${parts.day}`;
}

export function log(text) {
  console.error(text);
}

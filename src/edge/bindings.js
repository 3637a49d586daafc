// The bindings as the executors of `store/` need them: one call, texts in, text out. An exception
// becomes a rejected promise, which Rust sees as an error; nothing here panics.

// A store that does not answer in time has failed, as far as the caller is concerned. What was
// started goes on, which is harmless: every write may happen twice.
function within(milliseconds, promise) {
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

export async function batch(database, statements, milliseconds) {
  const prepared = JSON.parse(statements).map(([sql, ...values]) => database.prepare(sql).bind(...values));
  const results = await within(milliseconds, database.batch(prepared));
  return JSON.stringify(results.map((result) => result.results ?? []));
}

export async function blobGet(blobs, key, milliseconds) {
  // 30 s is the shortest time for which KV lets a place keep a value.
  return within(milliseconds, blobs.get(key, { cacheTtl: 30 }));
}

export async function blobPut(blobs, key, text, ttl, milliseconds) {
  await within(milliseconds, blobs.put(key, text, ttl > 0 ? { expirationTtl: ttl } : {}));
}

export async function blobDelete(blobs, key, milliseconds) {
  await within(milliseconds, blobs.delete(key));
}

export async function blobList(blobs, prefix, milliseconds) {
  const { keys } = await within(milliseconds, blobs.list({ prefix, limit: 100 }));
  return JSON.stringify(keys.map(({ name }) => name));
}

export function sleep(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

export function log(text) {
  console.error(text);
}

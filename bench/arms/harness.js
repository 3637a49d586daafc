// The benchmark's own window on the stores of all arms. It runs beside them in the same process, so that looking
// costs one request instead of one per key through the development proxy.

const CLICK_ID = /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{48}(?![A-Za-z0-9_-])/g;
const AT_ONCE = 50;

/** Names under a prefix, but for those that were there before. */
async function keys(kv, prefix, except = []) {
  const known = new Set(except);
  const names = [];
  let cursor;
  do {
    const page = await kv.list({ prefix, cursor });
    for (const { name } of page.keys) if (!known.has(name)) names.push(name);
    cursor = page.list_complete ? undefined : page.cursor;
  } while (cursor !== undefined);
  return names;
}

async function each(names, work) {
  for (let i = 0; i < names.length; i += AT_ONCE) await Promise.all(names.slice(i, i + AT_ONCE).map(work));
}

const COMMANDS = {
  /** Runs statements one after the other and gives the rows of the last. */
  async sql({ db }, { statements }) {
    let rows = [];
    for (const statement of statements) rows = (await db.prepare(statement).all()).results;
    return rows;
  },
  /** How many keys there are and how many different click ids their values hold. */
  async entries({ kv }, { prefix, except }) {
    const names = await keys(kv, prefix, except);
    const ids = new Set();
    await each(names, async (name) => {
      const text = (await kv.get(name)) ?? "";
      for (const id of text.match(CLICK_ID) ?? []) ids.add(id);
    });
    return { keys: names.length, entries: ids.size };
  },
  async names({ kv }, { prefix }) {
    return keys(kv, prefix);
  },
  async forget({ kv }, { prefix, except }) {
    const names = await keys(kv, prefix, except);
    await each(names, (name) => kv.delete(name));
    return names.length;
  },
};

// Time of an isolate's start: a copy of a worker under a new name is compiled, instantiated and asked once.
const sources = new Map();

function source(kind, env) {
  if (!sources.has(kind)) {
    const modules = {};
    for (const { path, type, contents } of env.SOURCES[kind]) {
      modules[path] = type === "ESModule" ? { js: contents } : { wasm: Uint8Array.fromBase64(contents).buffer };
    }
    sources.set(kind, modules);
  }
  return sources.get(kind);
}

async function startIsolate({ kind, name, url }, env) {
  const worker = env.LOADER.get(name, () => ({
    compatibilityDate: env.COMPATIBILITY_DATE,
    mainModule: "index.js",
    modules: source(kind, env),
    env: env.VARIABLES,
  }));
  const response = await worker.getEntrypoint().fetch(url, { redirect: "manual" });
  await response.text();
  return { status: response.status };
}

export default {
  async fetch(request, env) {
    const { arm, command, ...details } = await request.json();
    if (command === "start") return Response.json(await startIsolate(details, env));
    try {
      return Response.json(await COMMANDS[command]({ db: env[`DB_${arm}`], kv: env[`KV_${arm}`] }, details));
    } catch (error) {
      return Response.json({ error: String(error) }, { status: 500 });
    }
  },
};

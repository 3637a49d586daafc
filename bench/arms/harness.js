// The benchmark's own window on the stores of all arms. It runs beside them in the same process, so that looking
// costs one request instead of one per key through the development proxy.

const CLICK_ID = /(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{48}(?![A-Za-z0-9_-])/g;
const AT_ONCE = 50;

async function keys(kv) {
  const names = [];
  let cursor;
  do {
    const page = await kv.list({ cursor });
    for (const { name } of page.keys) names.push(name);
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
  /** How many values hold click ids, and how many different ones. Configuration holds none. */
  async entries({ kv }) {
    let values = 0;
    const ids = new Set();
    await each(await keys(kv), async (name) => {
      const found = ((await kv.get(name)) ?? "").match(CLICK_ID) ?? [];
      if (found.length > 0) values += 1;
      for (const id of found) ids.add(id);
    });
    return { values, entries: ids.size };
  },
  /** Deletes what holds click ids, so that no arm is slowed by what an earlier round left. */
  async forget({ db, kv }) {
    await db.prepare("DELETE FROM clicks").run();
    await each(await keys(kv), async (name) => {
      if (((await kv.get(name)) ?? "").search(CLICK_ID) >= 0) await kv.delete(name);
    });
    return {};
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

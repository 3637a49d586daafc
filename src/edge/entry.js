// The Worker's entry: packs a request into one string, unpacks one string into a response, and
// hands the work to Rust. A crossing into WebAssembly costs more than the string, so there is one
// in and one out. No decisions here.
import Framework from "../../build/index.js";
import { follow } from "./tray.js";

// What follows a reply is called directly. Every request but a click that memory can answer goes through the framework's class,
// which starts a fresh instance of WebAssembly where the one before has panicked.
const { behind } = Framework.prototype;
// What the framework knows of the present instance.
const instance = globalThis.__worker_init_state;

// So long the sender's queue waits for a run before it starts another one beside it.
const RUN_ALONE_MS = 1000;

const MAX_BODY = 64 * 1024;
const MAX_API_BODY = 2 * 1024 * 1024;

// Whether the path of an address begins with a text. Not every Host makes a URL that can be parsed.
const pathBegins = (url, text) => url.startsWith(text, url.indexOf("/", 8));

// The orders are those of `click.rs` and `packed.rs`. Each property of a request is made anew when it is read, so
// each is read once.
function packVisit(headers, cf) {
  return (
    (headers.get("sec-purpose") ?? headers.get("purpose") ?? headers.get("x-moz") ?? "") + "\n" +
    (headers.get("sec-fetch-dest") ?? "") + "\n" + (headers.get("sec-gpc") ?? "") + "\n" + (cf?.country ?? "")
  );
}

// What few campaigns look at is packed for their clicks only, and for everything that is no click.
function packNetwork(headers, cf) {
  return "\n" + (headers.get("cf-connecting-ip") ?? "") + "\n" + (cf?.asn ?? "");
}

function pack({ method, url, headers, cf }) {
  const get = (name) => headers.get(name) ?? "";
  return (
    method + "\n" + url + "\n" + get("user-agent") + "\n" + get("referer") + "\n" + get("cookie") + "\n" +
    packVisit(headers, cf) + packNetwork(headers, cf) + "\n" + get("content-type") + "\n" +
    get("authorization") + "\n" + get("origin") + "\n" + get("idempotency-key") + "\n" + get("x-backtrail-namespace") + "\n" +
    get("x-backtrail-timestamp") + "\n" + get("x-backtrail-signature")
  );
}

// What the redirects of clicks are copied from: each click writes what is its own into the headers and takes a copy. To make
// a response of a status and headers takes twice as long, and to append to the copy's own headers makes one object more, which
// costs most when it is collected (docs/performance.md). It has no body, so that it belongs to no request.
const REDIRECT = new Response(null, { status: 302, headers: { "cache-control": "no-store" } });
const HEADERS = REDIRECT.headers;

// The first line is what is to be done behind the reply, a letter each, the second the address, each further one a cookie.
function redirect(packed, env, ctx) {
  // Places are searched for instead of splitting: fewer strings and lists are made.
  const duties = packed.indexOf("\n");
  for (let at = 0; at < duties; at += 1) ctx.waitUntil(behind(env, packed[at]));
  let end = packed.indexOf("\n", duties + 1);
  HEADERS.set("location", packed.slice(duties + 1, end < 0 ? packed.length : end));
  // Nothing of an earlier click may be left.
  if (end < 0) HEADERS.delete("set-cookie");
  for (let isFirst = true; end >= 0; isFirst = false) {
    const start = end + 1;
    end = packed.indexOf("\n", start);
    const cookie = packed.slice(start, end < 0 ? packed.length : end);
    if (isFirst) HEADERS.set("set-cookie", cookie);
    else HEADERS.append("set-cookie", cookie);
  }
  return REDIRECT.clone();
}

// Line 1 is the status and, behind a space, what is to be done behind the reply, a letter each.
function unpack(head, body, env, ctx) {
  // The runtime takes a list of pairs apart slowly, so headers are appended.
  let end = head.indexOf("\n");
  if (end < 0) end = head.length;
  for (let at = 4; at < end; at += 1) ctx.waitUntil(behind(env, head[at]));
  const headers = new Headers();
  while (end < head.length) {
    const name = end + 1;
    const value = head.indexOf("\t", name) + 1;
    end = head.indexOf("\n", value);
    if (end < 0) end = head.length;
    headers.append(head.slice(name, value - 1), head.slice(value, end));
  }
  return new Response(body, { status: Number(head.slice(0, 3)), headers });
}

// Where the path begins in the address of a click; 0 for everything else.
function clickPath(method, url) {
  if (method !== "GET" && method !== "HEAD") return 0;
  const path = url.indexOf("/", 8);
  return url.startsWith("/click", path) && (url.length === path + 6 || url[path + 6] === "?") ? path : 0;
}

// Follows a click from memory: the packed redirect, or nothing if it has to be answered as everything else is.
function followed(method, url, path, { headers, cf }) {
  const userAgent = headers.get("user-agent") ?? "";
  const referer = headers.get("referer") ?? "";
  const cookie = headers.get("cookie") ?? "";
  const visit = packVisit(headers, cf);
  const isHead = method === "HEAD";
  const now = Date.now();
  try {
    const packed = follow(now, isHead, path, url, userAgent, referer, cookie, visit);
    if (packed !== null) return packed;
    return follow(now, isHead, path, url, userAgent, referer, cookie, visit + packNetwork(headers, cf));
  } catch (error) {
    // Not every trap runs the hook of a panic, and none leaves an instance that can be used. A fresh one is started.
    console.error(`WebAssembly stopped: ${error?.message ?? error}`);
    instance.criticalError = true;
  }
}

// Reads a body up to one byte more than the bound: enough to know that it is too large.
async function read(request) {
  if (request.body === null) return new Uint8Array(0);
  const bound = pathBegins(request.url, "/api/") ? MAX_API_BODY : MAX_BODY;
  const reader = request.body.getReader();
  const chunks = [];
  let length = 0;
  while (length <= bound) {
    const { done, value } = await reader.read();
    if (done) break;
    chunks.push(value);
    length += value.length;
  }
  if (length > bound) reader.cancel().catch(() => {});
  const bytes = new Uint8Array(Math.min(length, bound + 1));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, bytes.length - at), at);
    at += Math.min(chunk.length, bytes.length - at);
  }
  return bytes;
}

async function answer(request, env, ctx) {
  const body = await read(request);
  const [head, reply] = await new Framework(ctx, env).answer(pack(request), body, env);
  return unpack(head, request.method === "HEAD" ? null : reply, env, ctx);
}

export default {
  fetch(request, env, ctx) {
    const { method, url } = request;
    const path = clickPath(method, url);
    if (path > 0 && !instance.criticalError) {
      const packed = followed(method, url, path, request);
      if (typeof packed === "string") return redirect(packed, env, ctx);
    }
    // A sender who hangs up cancels the request; what it reported must be finished all the same.
    const answered = answer(request, env, ctx);
    ctx.waitUntil(answered.catch(() => {}));
    return answered;
  },

  scheduled(_event, env, ctx) {
    return new Framework(ctx, env).tick(env);
  },

  // What a message says does not matter: whatever is due is sent. The next message need not wait for the whole of it, which
  // a receiver that hangs draws out; what is left goes on behind, and is due again if it ends there.
  queue(_batch, env, ctx) {
    return new Promise((resolve, reject) => {
      const run = new Framework(ctx, env).deliver(env, resolve);
      run.then(resolve, reject);
      ctx.waitUntil(run);
      setTimeout(resolve, RUN_ALONE_MS);
    });
  },
};

import net from "node:net";

/**
 * Writes bytes to the Worker's port as they are and reads one answer: for requests that a well-behaved client cannot send.
 * Returns `{ status, headers, body }` with lower-cased header names (a list of pairs: duplicates matter), or `{ closed: true }`
 * where the server hung up without an answer.
 */
export function raw(port, bytes, { within = 10_000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: "127.0.0.1", port });
    const chunks = [];
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${within} ms`)), within);
    const settle = (outcome) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(outcome);
    };
    socket.on("error", (error) => {
      clearTimeout(timer);
      const answer = parse(Buffer.concat(chunks), true);
      if (answer) return resolve(answer);
      // The server may hang up on bytes that it does not want to read to the end.
      if (error.code === "ECONNRESET" || error.code === "EPIPE") return resolve({ closed: true });
      reject(error);
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      const answer = parse(Buffer.concat(chunks), false);
      if (answer) settle(answer);
    });
    socket.on("end", () => settle(parse(Buffer.concat(chunks), true) ?? { closed: true }));
    socket.on("connect", () => socket.write(bytes));
  });
}

/** A request as bytes; strings are Latin-1, so that every byte can be written. */
export function request(method, target, { host, headers = [], body = "" } = {}) {
  const payload = Buffer.isBuffer(body) ? body : Buffer.from(body, "latin1");
  const lines = [`${method} ${target} HTTP/1.1`];
  if (host !== undefined) lines.push(`Host: ${host}`);
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (payload.length > 0 || method === "POST") lines.push(`Content-Length: ${payload.length}`);
  lines.push("Connection: close");
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), payload]);
}

function parse(buffer, ended) {
  const end = buffer.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [first, ...lines] = buffer.subarray(0, end).toString("latin1").split("\r\n");
  const status = Number(first.split(" ")[1]);
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const header = (name) => headers.find(([key]) => key === name)?.[1];
  const rest = buffer.subarray(end + 4);
  const length = header("content-length");
  if (header("transfer-encoding")?.toLowerCase() === "chunked") {
    const body = dechunk(rest);
    return body && { status, headers, header, body: body.toString("utf8") };
  }
  if (length !== undefined && rest.length < Number(length) && !ended) return undefined;
  if (length === undefined && !ended) return undefined;
  return { status, headers, header, body: rest.toString("utf8") };
}

function dechunk(buffer) {
  const parts = [];
  for (let at = 0; ; ) {
    const line = buffer.indexOf("\r\n", at);
    if (line < 0) return undefined;
    const size = Number.parseInt(buffer.subarray(at, line).toString("latin1"), 16);
    if (size === 0) return Buffer.concat(parts);
    if (buffer.length < line + 2 + size + 2) return undefined;
    parts.push(buffer.subarray(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
}

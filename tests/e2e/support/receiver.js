// A receiver of deliveries on loopback, as a stranger would run it: it keeps every request byte for byte and answers as
// it is told.

import { createServer } from "node:http";

export async function startReceiver() {
  const receiver = new Receiver();
  receiver.server.listen(0, "127.0.0.1");
  await new Promise((resolve) => receiver.server.once("listening", resolve));
  return receiver;
}

class Receiver {
  constructor() {
    this.got = [];
    // Told by path; the default is 200. `"hang"` and `"reset"` are no answers.
    this.reactions = new Map();
    this.server = createServer((request, response) => this.take(request, response));
    // Node closes connections that idle for five seconds: exactly when the second attempt comes.
    this.server.keepAliveTimeout = 60_000;
  }

  get origin() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Answers requests of a path so: a status, `[status, headers]`, "hang" or "reset". */
  reacts(path, reaction) {
    this.reactions.set(path, reaction);
  }

  /** What came to a path. */
  at(path) {
    return this.got.filter((one) => one.path === path);
  }

  take(request, response) {
    const chunks = [];
    const path = request.url.split("?")[0];
    request.on("error", () => {});
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { method, url, headers } = request;
      this.got.push({ method, url, path, headers, body: Buffer.concat(chunks).toString(), at: performance.now() });
      const reaction = this.reactions.get(path) ?? 200;
      if (reaction === "hang") return;
      if (reaction === "reset") return request.socket.resetAndDestroy();
      const [status, more] = [reaction].flat();
      response.writeHead(status, { "content-type": "text/plain", ...more }).end(`answer ${status} `.repeat(200));
    });
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

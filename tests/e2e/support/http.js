// An HTTP client that says exactly what it is told to: any Host header to 127.0.0.1, no redirect followed, no header added
// but Host, Content-Length and Connection, every Set-Cookie line kept as it came.

import http from "node:http";
import { CookieJar } from "tough-cookie";

/** An ordinary browser. A click without the name of one looks like a bot's. */
export const VISITOR =
  "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

export class Client {
  /** @param port read at every request, so that a client survives a restart */
  constructor(port) {
    this.port = typeof port === "function" ? port : () => port;
    // The server closes connections that were idle for five seconds.
    this.agent = new http.Agent({ keepAlive: true, maxSockets: 64, timeout: 4_000 });
  }

  close() {
    this.agent.destroy();
  }

  /**
   * Sends one request and reads the whole answer. Rejects where the connection fails, but not where the server closed an
   * idle one at the very moment at which it was used again: then the request is sent once more, as a browser would do.
   */
  async send(message) {
    try {
      return await this.sendOnce(message);
    } catch (error) {
      if (!error.isStale) throw error;
      return this.sendOnce(message);
    }
  }

  sendOnce({ method = "GET", host, path, headers = {}, body, signal, maxHeaderSize }) {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined ? undefined : Buffer.from(body);
      const started = performance.now();
      const request = http.request(
        {
          host: "127.0.0.1",
          port: this.port(),
          agent: this.agent,
          method,
          path,
          signal,
          maxHeaderSize,
          headers: { host, ...(bytes && { "content-length": bytes.length }), ...headers },
        },
        (response) => {
          const chunks = [];
          response.on("data", (chunk) => chunks.push(chunk));
          response.on("error", reject);
          response.on("end", () => {
            if (!response.complete) return reject(new Error("the answer was cut off"));
            resolve(new Answer(response, Buffer.concat(chunks), performance.now() - started));
          });
        },
      );
      request.on("error", (error) => {
        error.isStale = request.reusedSocket && ["ECONNRESET", "EPIPE"].includes(error.code);
        reject(error);
      });
      request.end(bytes);
    });
  }
}

/** What came back. */
export class Answer {
  constructor(response, bytes, took) {
    this.status = response.statusCode;
    this.headers = response.headers;
    this.cookies = response.headers["set-cookie"] ?? [];
    this.bytes = bytes;
    this.took = took;
  }

  get text() {
    return this.bytes.toString("utf8");
  }

  get json() {
    try {
      return JSON.parse(this.text);
    } catch {
      throw new Error(`not JSON (status ${this.status}): ${this.text.slice(0, 300)}`);
    }
  }

  get location() {
    return this.headers.location;
  }
}

/**
 * A browser as far as cookies go. Its jar treats loopback names as secure, as Chromium does, so `Secure` cookies work
 * over http and the Worker never has to drop an attribute for development.
 */
export class Browser {
  constructor(client) {
    this.client = client;
    this.jar = new CookieJar(undefined, { allowSpecialUseDomain: true, allowSecureOnLocal: true });
  }

  /** Opens an address (`http://host:port/path`) and stores the cookies of the answer. */
  async open(address, headers = {}) {
    const url = new URL(address);
    const cookie = await this.jar.getCookieString(address, { sameSiteContext: "lax" });
    const answer = await this.client.send({
      host: url.host,
      path: url.pathname + url.search,
      headers: { "user-agent": VISITOR, ...(cookie && { cookie }), ...headers },
    });
    for (const line of answer.cookies) await this.jar.setCookie(line, address, { sameSiteContext: "lax" });
    return answer;
  }

  async cookie(address, name) {
    const cookies = await this.jar.getCookies(address);
    return cookies.find((cookie) => cookie.key === name)?.value;
  }
}

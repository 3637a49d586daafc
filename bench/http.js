// Single requests with a `Host` of one's own, which `fetch` does not promise to send.
import { Agent, request } from "node:http";

const agent = new Agent({ keepAlive: true, maxSockets: 2000 });

/** Asks once and gives status, headers as a list of pairs, and body as text. */
export function ask(url, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, headers, agent, timeout: 30_000 }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        const pairs = [];
        for (let i = 0; i < answer.rawHeaders.length; i += 2) {
          pairs.push([answer.rawHeaders[i].toLowerCase(), answer.rawHeaders[i + 1]]);
        }
        resolve({ status: answer.statusCode, headers: pairs, body: Buffer.concat(parts).toString() });
      });
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer from ${url} within 30 seconds`)));
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Does `count` pieces of work with so many under way at once and gives their results in order. */
export async function many(count, atOnce, work) {
  const results = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const i = next++;
      results[i] = await work(i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  return results;
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Requests to receivers, and messages that wake the sender: one call, text in, text out. Nothing here rejects.

const MAX_ANSWER = 1024;

/**
 * Sends a request, `[method, url, [[name, value], …], body]` as JSON. Resolves to JSON: `[status, retry-after, answer,
 * milliseconds]`, or `[fault, detail, milliseconds]` where the fault is "timeout", "connection" or "not sent".
 */
export async function send(packed, milliseconds) {
  const [method, url, list, body] = JSON.parse(packed);
  const began = Date.now();
  const controller = new AbortController();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    controller.abort();
  }, milliseconds);
  try {
    const headers = new Headers({ "user-agent": "Backtrail" });
    for (const [name, value] of list) headers.set(name, value);
    const response = await fetch(url, { method, headers, body: body ?? undefined, redirect: "manual", signal: controller.signal });
    const answer = await beginning(response.body);
    return JSON.stringify([response.status, response.headers.get("retry-after"), answer, Date.now() - began]);
  } catch (error) {
    const message = String(error?.message ?? error);
    // What an invocation may do is used up; the next one can send it.
    const fault = isLate ? "timeout" : /too many subrequests/i.test(message) ? "not sent" : "connection";
    // The address may hold secrets and personal values; the log has it masked.
    return JSON.stringify([fault, message.replaceAll(url, "the address"), Date.now() - began]);
  } finally {
    clearTimeout(timer);
  }
}

// The status has come, and with it the answer; a body that breaks off changes nothing.
async function beginning(body) {
  if (body === null) return "";
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  try {
    while (length < MAX_ANSWER) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, MAX_ANSWER - length);
      length += part.length;
      text += decoder.decode(part, { stream: true });
    }
  } catch {
    return text;
  }
  reader.cancel().catch(() => {});
  return text;
}

/** Sends a message to the sender's queue, to arrive after so many milliseconds. Without a queue the cron job does it all. */
export async function wake(queue, milliseconds) {
  try {
    await queue?.send({}, { delaySeconds: Math.ceil(milliseconds / 1000) });
  } catch (error) {
    console.error(`the sender was not woken: ${error?.message ?? error}`);
  }
}

import { setTimeout as pause } from "node:timers/promises";

/**
 * Awaits a condition: calls `attempt` until it returns something truthy, and returns that.
 * Tests wait this way and never for a fixed time; the deadline is only how long a failure takes.
 */
export async function eventually(what, attempt, { within = 10_000, every = 20 } = {}) {
  const deadline = performance.now() + within;
  let last;
  for (;;) {
    try {
      const value = await attempt();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      throw new Error(`${what}: still not so after ${within} ms (last: ${last?.stack ?? JSON.stringify(last)})`);
    }
    await pause(every);
  }
}

/**
 * Runs `work(item, index)` over the items with so many senders at once, and returns the results in the order of the items.
 * A sender takes its next item only when its last one is done, as a shop's server does.
 */
export async function concurrently(senders, items, work) {
  const results = new Array(items.length);
  let next = 0;
  async function sender() {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index], index);
    }
  }
  await Promise.all(Array.from({ length: Math.min(senders, items.length) }, sender));
  return results;
}

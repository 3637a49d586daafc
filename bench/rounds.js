// Interleaved rounds and what they come to.

/** Runs each arm once per round, in turns that alternate, so that drift of the machine meets all arms alike. */
export async function interleave(title, arms, rounds, work) {
  const results = Object.fromEntries(arms.map((arm) => [arm, []]));
  for (let round = 1; round <= rounds; round += 1) {
    const order = round % 2 === 1 ? arms : arms.toReversed();
    for (const arm of order) {
      const result = await work(arm, round);
      results[arm].push(result);
      const note = result.invalid === undefined ? result.note : `INVALID: ${result.invalid}`;
      console.log(`${title} · round ${round}/${rounds} · ${arm}: ${note}`);
    }
  }
  return results;
}

export function median(values) {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Median and range of one figure over the valid rounds. */
export function summary(results, figure) {
  const values = results.filter(({ invalid }) => invalid === undefined).map((result) => result[figure]);
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), rounds: values.length };
}

/** Ratio of the medians of two arms, and the range of the ratios of single rounds. */
export function compare(ours, theirs, figure) {
  const ratios = [];
  for (let i = 0; i < Math.min(ours.length, theirs.length); i += 1) {
    if (ours[i].invalid === undefined && theirs[i].invalid === undefined) ratios.push(ours[i][figure] / theirs[i][figure]);
  }
  return {
    ours: summary(ours, figure),
    theirs: summary(theirs, figure),
    ratio: summary(ours, figure).median / summary(theirs, figure).median,
    min: Math.min(...ratios),
    max: Math.max(...ratios),
  };
}

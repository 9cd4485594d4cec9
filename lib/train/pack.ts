/** Packing: several short rows in one, so that little is computed for padding. */

/**
 * Indices of `lengths` in bins of at most `capacity`: best fit, longest first (TRL's "bfd"). A length above the
 * capacity has a bin of its own. Bins and the indices in each are in a fixed order, so equal lengths give equal bins.
 */
export function packLengths(lengths: readonly number[], capacity: number): number[][] {
  const order = lengths.map((_, i) => i).sort((a, b) => lengths[b] - lengths[a] || a - b);
  const bins: { free: number; indices: number[] }[] = [];
  for (const i of order) {
    const fitting = bins.filter((bin) => bin.free >= lengths[i]);
    const best = fitting.reduce<(typeof bins)[number] | null>(
      (a, bin) => (a === null || bin.free < a.free ? bin : a),
      null,
    );
    if (best) {
      best.free -= lengths[i];
      best.indices.push(i);
    } else bins.push({ free: capacity - lengths[i], indices: [i] });
  }
  return bins.map((bin) => bin.indices);
}

/** The release's micro-batches (deviation 4), as plain numbers: settings are checked without TensorFlow. */

/** Sequences of a micro-batch in the release. */
export const MICRO_BATCH_SIZE = 4;

/** Fewest groups of `rollouts` responses each that split into whole micro-batches: 2 groups of 10 are 5 of 4. */
export function groupsOfMicroBatches(rollouts: number): number {
  let groups = 1;
  while ((groups * rollouts) % MICRO_BATCH_SIZE !== 0) groups++;
  return groups;
}

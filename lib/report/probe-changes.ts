/** What training changed of what a model sees and knows (the study's hypothesis H8), from the probes' rows. */
import type { ProbeRow } from "../eval/probes";
import type { TableRow } from "./tables";

/** The probes that H8 speaks of: visual features, and questions in text on what sub-categories look like. */
const OF_H8: readonly string[] = ["linear: visual features", "text: name to attributes", "text: attributes to name"];
/** A change of more than this many points is against H8. */
const MARGIN = 2;

export interface ProbeChange {
  probe: string;
  split: string;
  n: number;
  /** Accuracy in [0, 1] by method, in the order of the methods. */
  accuracy: Readonly<Record<string, number>>;
  /** Accuracy of the last method less that of the first, in points. */
  points: number;
  /** Whether H8 speaks of this probe, and then whether it holds here. */
  holds: boolean | undefined;
}

/**
 * Each probe and split, from the first of the methods to the last.
 * @param methods at least two, in the order of training
 * @throws Error where a method lacks a probe that another one has
 */
export function probeChanges(rows: readonly ProbeRow[], methods: readonly string[]): ProbeChange[] {
  const first = rows.filter(({ method }) => method === methods[0]);
  return first.map(({ probe, split, n }) => {
    const accuracy = Object.fromEntries(
      methods.map((method) => {
        const row = rows.find((one) => one.method === method && one.probe === probe && one.split === split);
        if (!row) throw new Error(`probes: ${method} has no row of "${probe}" (${split}); run the probes again`);
        return [method, row.accuracy];
      }),
    );
    const points = 100 * (accuracy[methods[methods.length - 1]] - accuracy[methods[0]]);
    // accuracies are rounded to six places, which is 1e-4 points
    const holds = OF_H8.includes(probe) ? Math.abs(points) <= MARGIN + 1e-4 : undefined;
    return { probe, split, n, accuracy, points, holds };
  });
}

/** The changes as a table: a column of each method, in %. */
export const probeChangesTable = (changes: readonly ProbeChange[]): TableRow[] =>
  changes.map(({ probe, split, n, accuracy, points, holds }) => ({
    probe,
    split,
    n,
    ...Object.fromEntries(Object.entries(accuracy).map(([method, share]) => [`${method} %`, (100 * share).toFixed(1)])),
    points: `${points < 0 ? "" : "+"}${points.toFixed(1)}`,
    [`within ${MARGIN} points`]: holds === undefined ? "not of H8" : holds ? "yes" : "no",
  }));

/** What the changes say of H8, in a sentence. */
export function verdictOnH8(changes: readonly ProbeChange[]): string {
  const asked = changes.filter(({ holds }) => holds !== undefined);
  const against = asked.filter(({ holds }) => holds === false);
  if (asked.length === 0) return "H8 cannot be read: none of its probes was run.";
  const count = `of ${asked.length} figures ${against.length} changed by more than ${MARGIN} points`;
  if (against.length === 0) return `H8 holds as it is written: ${count}.`;
  const which = against.map(({ probe, split, points }) => `${probe}, ${split} (${points.toFixed(1)})`).join("; ");
  return `H8 does not hold as it is written: ${count}: ${which}.`;
}

/** Differences that no hypothesis is about, as the addendum lists them: not corrected, and no test of anything. */
import type { Split } from "../../eval/rows";
import type { TableRow } from "../../report/tables";
import { compareContrast, type Contrast, type RowsByMethod } from "./contrasts";
import { contrastColumns, intervalText, points, pText } from "./contrast-text";
import { CONTRASTIVE, RL_VARIANTS } from "./variants";

const BOTH: readonly Split[] = ["seen", "unseen"];

export const EXPLORATORY: readonly Contrast[] = [
  { a: "sft", b: "sft-direct", splits: ["seen"] },
  ...[
    { a: "sft", b: "base-cot" },
    { a: "sft-direct", b: "base" },
  ].flatMap((pair): Contrast[] => [
    { ...pair, splits: ["unseen"] },
    { ...pair, splits: BOTH },
  ]),
  ...RL_VARIANTS.map((a): Contrast => ({ a, b: "sft", splits: BOTH })),
  ...(["closed", "open"] as const).flatMap((setting) =>
    BOTH.map((split): Contrast => ({ a: "tapo", b: CONTRASTIVE, splits: [split], setting })),
  ),
];

/** One line a difference whose methods are there and share a seed. */
export function exploratoryLines(rows: RowsByMethod): TableRow[] {
  return EXPLORATORY.flatMap((contrast) => {
    const of = compareContrast(rows, contrast);
    if (!of) return [];
    return {
      ...contrastColumns(of),
      points: points(of.difference),
      "95 %": intervalText(of),
      "95 % crossed": of.crossed ? intervalText(of.crossed.interval95) : "-",
      "p, not corrected": pText(of.p),
    };
  });
}

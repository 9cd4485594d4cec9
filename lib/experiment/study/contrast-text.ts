/** Differences as the study's tables print them: in points, with signs. */
import type { Interval } from "../../eval/intervals";
import { TIE } from "../../eval/seeds";
import type { TableRow } from "../../report/tables";
import type { Compared, Contrast } from "./contrasts";
import type { Tested } from "./hypotheses";

/** `+1.25` for 0.0125; what is 0 but for rounding is `+0.00` */
export const points = (x: number): string => `${x < -TIE ? "-" : "+"}${(100 * Math.abs(x)).toFixed(2)}`;
/** `1.25` for 0.0125 and for -0.0125 */
export const size = (x: number): string => (100 * Math.abs(x)).toFixed(2);
export const intervalText = ({ low, high }: Interval): string => `[${points(low)}, ${points(high)}]`;
export const pText = (p: number): string => (p < 0.001 ? "<0.001" : p.toFixed(3));

/** `seen and unseen`; with a setting `closed seen` */
export const whereText = ({ splits, setting }: Contrast): string =>
  [...(setting === undefined ? [] : [setting]), splits.join(" and ")].join(" ");

/** The columns that say which difference a line is of. */
export const contrastColumns = (of: Contrast): TableRow => ({
  difference: `${of.a} - ${of.b}`,
  "sub-categories": whereText(of),
});

/** The differences of all hypotheses in their order, each with its line's first columns. */
export const allDifferences = (tested: readonly Tested[]): { columns: TableRow; label: string; of: Compared }[] =>
  tested.flatMap(({ hypothesis: { name }, differences }) =>
    differences.map((of) => ({
      columns: { hypothesis: name, ...contrastColumns(of) },
      // two differences of one hypothesis are told apart by their sub-categories
      label: differences.length > 1 ? `${name} ${whereText(of)}` : name,
      of,
    })),
  );

/** Tables as LaTeX, for a paper. */
import type { TableRow } from "./tables";

/** Characters that are commands of LaTeX or not in its fonts, and how they are written. */
const SPECIAL: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "−": "$-$",
  "±": "$\\pm$",
  "<": "$<$",
  ">": "$>$",
  ...Object.fromEntries([..."%_&#${}"].map((character) => [character, `\\${character}`])),
};

/** Text in which no character is a command of LaTeX. */
export const escapeLatex = (text: string): string =>
  text.replace(/\s*\n\s*/g, " ").replace(/[\\~^−±<>%_&#${}]/g, (character) => SPECIAL[character]);

/** Whether a cell is aligned right: it begins with a number. */
const isNumeric = (text: string): boolean => /^[-+−]?\d/.test(text);

/**
 * Rows as a `tabular` with booktabs rules (`\usepackage{booktabs}`). Columns whose cells all begin with a number are
 * aligned right; a missing cell is a dash.
 */
export function toLatex(rows: readonly TableRow[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const text = (row: TableRow, column: string): string => String(row[column] ?? "-");
  const aligned = columns.map((column) => (rows.every((row) => isNumeric(text(row, column))) ? "r" : "l")).join("");
  const line = (cells: readonly string[]): string => `${cells.map(escapeLatex).join(" & ")} \\\\`;
  return [
    `\\begin{tabular}{${aligned}}`,
    "\\toprule",
    line(columns),
    "\\midrule",
    ...rows.map((row) => line(columns.map((column) => text(row, column)))),
    "\\bottomrule",
    "\\end{tabular}",
    "",
  ].join("\n");
}

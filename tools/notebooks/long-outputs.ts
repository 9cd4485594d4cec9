/** Cells of an executed notebook that print more plain text than a reader looks through. */
import * as fs from "node:fs";
import { readCodeCells } from "./cells";

/** Most lines of plain text that one cell may show. Tables, figures and scrolling boxes are not plain text. */
export const MOST_LINES = 40;

interface Output {
  output_type: string;
  text?: string | string[];
  data?: Record<string, string | string[]>;
}

const joined = (text: string | string[] = ""): string => (Array.isArray(text) ? text.join("") : text);

/** What the output shows as plain text in JupyterLab: streams, and results that have no richer form. */
function plainText({ output_type: type, text, data = {} }: Output): string {
  if (type === "stream") return joined(text);
  const isRich = Object.keys(data).some((mime) => mime !== "text/plain");
  return isRich ? "" : joined(data["text/plain"]);
}

/** One line per cell with more than `MOST_LINES` lines of plain text; empty where there is none. */
export function longOutputs(file: string): string[] {
  const { cells } = JSON.parse(fs.readFileSync(file, "utf8")) as { cells: { outputs?: Output[] }[] };
  return readCodeCells(file).flatMap(({ index, number, title }) => {
    const lines = (cells[index].outputs ?? []).map(plainText).join("").trimEnd().split("\n").length;
    return lines > MOST_LINES ? [`cell ${number} (${title}) prints ${lines} lines of plain text`] : [];
  });
}

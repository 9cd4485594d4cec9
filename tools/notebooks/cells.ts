/** Reads notebooks: their code cells and a title for each. */
import * as fs from "node:fs";

export interface CodeCell {
  /** Position among all cells of the notebook. */
  index: number;
  /** 1, 2, … among the code cells. */
  number: number;
  title: string;
  source: string;
}

interface RawCell {
  cell_type: string;
  source: string | string[];
}

function firstComment(source: string): string | null {
  const match = /^\s*(?:\/\/+|\/\*+)\s*(.+?)\s*(?:\*\/)?\s*$/m.exec(source.trimStart().split("\n")[0]);
  return match ? match[1] : null;
}

function lastHeading(source: string): string | null {
  const headings = source.split("\n").filter((line) => /^#{1,6}\s/.test(line));
  return headings.length > 0 ? headings[headings.length - 1].replace(/^#+\s+/, "").replace(/[*_`]/g, "") : null;
}

/**
 * Code cells of an .ipynb file (nbformat 4). A cell's title is the comment on its first line, else the last Markdown
 * heading above it, else its first line.
 *
 * @throws when the file is not such a notebook, naming the file
 */
export function readCodeCells(file: string): CodeCell[] {
  let notebook: { cells?: RawCell[]; nbformat?: number };
  try {
    notebook = JSON.parse(fs.readFileSync(file, "utf8")) as typeof notebook;
  } catch (error) {
    throw new Error(
      `${file}: cannot be read as a notebook (${error instanceof Error ? error.message : String(error)})`,
    );
  }
  if (!Array.isArray(notebook.cells) || notebook.nbformat !== 4)
    throw new Error(`${file}: not a notebook of nbformat 4 (field "cells")`);
  const cells: CodeCell[] = [];
  let heading: string | null = null;
  notebook.cells.forEach((cell, index) => {
    const source = Array.isArray(cell.source) ? cell.source.join("") : cell.source;
    if (cell.cell_type === "markdown") heading = lastHeading(source) ?? heading;
    if (cell.cell_type !== "code") return;
    const title = firstComment(source) ?? heading ?? source.trim().split("\n")[0];
    cells.push({ index, number: cells.length + 1, title: title.slice(0, 80), source });
  });
  return cells;
}

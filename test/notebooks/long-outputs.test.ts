import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { longOutputs, MOST_LINES } from "../../tools/notebooks/long-outputs";

let folder: string;
beforeAll(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), "long-outputs-"))));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const lines = (n: number): string => Array.from({ length: n }, (_, i) => `line ${i}\n`).join("");

/** A notebook of one code cell that shows this. */
function notebook(...outputs: object[]): string {
  const file = path.join(folder, "a.ipynb");
  const cells = [
    { cell_type: "markdown", source: "# A" },
    { cell_type: "code", source: ["// Numbers\n", "1"], outputs },
  ];
  fs.writeFileSync(file, JSON.stringify({ nbformat: 4, cells }));
  return file;
}

describe("longOutputs", () => {
  it("counts streams and plain results together, also where the text is a list of lines", () => {
    const stream = (n: number) => ({ output_type: "stream", name: "stdout", text: lines(n).split(/(?<=\n)/) });
    const result = (n: number) => ({ output_type: "execute_result", data: { "text/plain": lines(n) } });
    expect(longOutputs(notebook(stream(MOST_LINES)))).toEqual([]);
    expect(longOutputs(notebook(stream(MOST_LINES - 5), result(6)))).toEqual([
      "cell 1 (Numbers) prints 41 lines of plain text",
    ]);
    expect(longOutputs(notebook(result(60)))).toEqual(["cell 1 (Numbers) prints 60 lines of plain text"]);
  });

  it("passes what has a richer form: JupyterLab shows that one", () => {
    const table = { output_type: "display_data", data: { "text/html": "<table>", "text/plain": lines(90) } };
    expect(longOutputs(notebook(table))).toEqual([]);
  });
});

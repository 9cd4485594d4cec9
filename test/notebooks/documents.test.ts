import * as fs from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { longOutputs } from "../../tools/notebooks/long-outputs";
import { codeCellsHash, MOST_BYTES, notebookStamp } from "../../tools/notebooks/publish";
import { allNotebooks } from "../../tools/notebooks/run";

const root = path.resolve(__dirname, "../..");
const figures = JSON.parse(fs.readFileSync(path.join(root, "figures/methods.stamp.json"), "utf8")) as Record<
  "code" | "settings" | "data",
  string
>;

interface Output {
  output_type: string;
  data?: Record<string, unknown>;
}

describe("notebooks under git", () => {
  for (const file of allNotebooks()) {
    const name = path.basename(file);
    const text = fs.readFileSync(file, "utf8");
    const { cells } = JSON.parse(text) as { cells: { cell_type: string; outputs?: Output[] }[] };

    it(`${name}: outputs of the published run, and of these cells (npm run refresh makes them anew)`, () => {
      const { code, settings, data } = figures;
      expect(notebookStamp(file)).toEqual({ code, settings, data, cells: codeCellsHash(file) });
      const outputs = cells.flatMap((cell) => cell.outputs ?? []);
      expect(outputs.length).toBeGreaterThan(2);
      expect(outputs.filter(({ output_type }) => output_type === "error")).toEqual([]);
      for (const { data: shown = {} } of outputs)
        if ("application/vnd.plotly.v1+json" in shown) expect(Object.keys(shown)).toContain("image/png");
    });

    it(`${name}: small, without pages of text or paths of the machine it ran on`, () => {
      expect(text.length).toBeLessThanOrEqual(MOST_BYTES);
      expect(longOutputs(file)).toEqual([]);
      expect(text).not.toMatch(/\/(?:home|root|work|tmp|Users)\/\w/);
    });
  }
});

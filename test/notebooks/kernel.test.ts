/** The project's kernel end to end: real notebooks through nbclient. Assumes that set-up is done. */
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ProgressLines } from "../../tools/notebooks/progress-lines";
import { runNotebook, type NotebookResult } from "../../tools/notebooks/run";

interface Output {
  output_type: string;
  text?: string | string[];
  data?: Record<string, unknown>;
}

let folder: string;
beforeAll(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), "fine-r1-"))));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs cells as a notebook; returns the result, what was printed, and the outputs of each cell. */
async function runCells(
  name: string,
  sources: string[],
): Promise<{ result: NotebookResult; printed: string; outputs: Output[][] }> {
  const file = path.join(folder, `${name}.ipynb`);
  const cells = sources.map((source, i) => ({
    cell_type: "code",
    id: `c${i}`,
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  }));
  const text = JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
  fs.writeFileSync(file, text);
  let printed = "";
  const lines = new ProgressLines({ write: (part) => (printed += part) });
  const result = await runNotebook(file, { scale: "smoke", run: "test", folder: path.join(folder, "executed") }, lines);
  expect(fs.readFileSync(file, "utf8"), "the source must not change").toBe(text);
  const executed = JSON.parse(fs.readFileSync(result.path ?? "", "utf8")) as { cells: { outputs: Output[] }[] };
  return { result, printed, outputs: executed.cells.map((cell) => cell.outputs) };
}

const textOf = (outputs: Output[]): string => outputs.flatMap((output) => output.text ?? []).join("");

// A kernel starts in 4 s on an idle machine; the limit only has to catch one that hangs, also on a busy one.
describe("the notebook kernel", { timeout: 240_000 }, () => {
  it("runs cells that import lib, await, print much and show things", async () => {
    const { result, printed, outputs } = await runCells("good", [
      '// Import from lib\nimport { random } from "./lib/util/random";\nimport { showFigure, showTable, showImages } from "./lib/report/notebook";\nimport { progress } from "./lib/report/progress";\nconsole.log(random(1).uniform() < 1);',
      "// Many messages\nfor (let i = 0; i < 5000; i++) process.stdout.write(`${i}\\n`);",
      "// Await first\nconst three = await (async () => 3)();\nconsole.log(three, process.env.FINE_R1_SCALE);",
      '// Show\nshowFigure({ data: [{ y: new Float32Array([1, 2]) }] });\nshowTable([{ a: 1, b: "<x>" }]);\nawait showImages([Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64")], { captions: ["dot"] });\nconst p = progress("Steps", 3); p.update(1); p.finish("done");',
    ]);
    expect(printed).toMatch(/^good {2}cell 1\/4 {2}00:\d\d {2}Import from lib$/m);
    expect(result.ok, printed).toBe(true);
    expect(textOf(outputs[0])).toBe("true\n");
    expect(textOf(outputs[1])).toBe(Array.from({ length: 5000 }, (_, i) => `${i}\n`).join(""));
    expect(textOf(outputs[2])).toBe("3 smoke\n");
    const [figure, table, images, bar] = outputs[3].map((output) => output.data ?? {});
    expect(figure["application/vnd.plotly.v1+json"]).toEqual({ data: [{ y: [1, 2] }] });
    expect([table["text/html"]].flat().join("")).toContain("&lt;x&gt;");
    expect(images["image/png"]).toMatch(/^iVBOR/);
    expect([bar["text/plain"]].flat().join("")).toMatch(/^Steps {21}█+ 3\/3 .*done$/);
    expect(outputs[3]).toHaveLength(4);
  });

  it("fails the run at a cell that throws, and names it", async () => {
    const { result, printed, outputs } = await runCells("throws", [
      "const a = 1;",
      '// The culprit\nif (a === 1) throw new RangeError("boom");',
      "2",
    ]);
    expect(result.ok).toBe(false);
    expect(result.path).toMatch(/throws\.failed\.ipynb$/);
    expect(printed).toMatch(/cell 2\/3 \(The culprit\) failed/);
    expect(printed).toContain('   2 | if (a === 1) throw new RangeError("boom");');
    expect(printed).toContain("RangeError: boom");
    expect(outputs[2]).toEqual([]);
  });

  it("fails the cell in which a promise rejects unhandled", async () => {
    const { result, printed } = await runCells("rejects", [
      '// Forgetful\nvoid Promise.reject(new Error("lost"));\n1',
      "2",
    ]);
    expect(result.ok).toBe(false);
    expect(printed).toMatch(/cell 1\/2 \(Forgetful\) failed/);
    expect(printed).toMatch(/Unhandled promise rejection:\nError: lost/);
  });

  it("fails the run when a promise rejects after the last cell", async () => {
    const { result, printed } = await runCells("late", [
      'const later = (turns: number): void => { setImmediate(() => { if (turns > 0) later(turns - 1); else void Promise.reject(new Error("too late")); }); };\nlater(4);',
    ]);
    expect(result.ok).toBe(false);
    expect(printed).toMatch(/after the last cell failed[^]*too late/);
  });

  it("reports a type error in a cell or in lib with its place", async () => {
    const { result, printed } = await runCells("types", ['import { random } from "./lib/util/random";\nrandom("a");']);
    expect(result.ok).toBe(false);
    expect(printed).toMatch(/2:8 - Argument of type 'string' is not assignable/);
  });
});

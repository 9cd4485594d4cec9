import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeCellsHash, MOST_BYTES, notebookStamp, publishNotebook } from "../../tools/notebooks/publish";

let folder: string;
beforeAll(() => void (folder = fs.mkdtempSync(path.join(os.tmpdir(), "publish-"))));
afterAll(() => fs.rmSync(folder, { recursive: true }));

const provenance = { code: "a".repeat(64), settings: "b".repeat(64), data: "c".repeat(64) };
const PLOTLY = "application/vnd.plotly.v1+json";

/** A notebook of one code cell. */
function write(name: string, source: string, outputs: object[] = []): string {
  const file = path.join(folder, name);
  const cells = [
    { cell_type: "markdown", id: "a", metadata: {}, source: "# A" },
    { cell_type: "code", id: "b", metadata: {}, source, outputs, execution_count: outputs.length > 0 ? 1 : null },
  ];
  fs.writeFileSync(file, JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec: {} }, cells }));
  return file;
}

interface Published {
  metadata: Record<string, unknown>;
  cells: { outputs?: { data: Record<string, string> }[]; execution_count?: number }[];
}

const text = (words: string) => ({ output_type: "stream", name: "stdout", text: words });

describe("publishNotebook", () => {
  it("puts a run's outputs into the notebook, a PNG beside each plotly figure, and says of what code they are", async () => {
    const figure = { data: [{ type: "bar", x: ["a", "b"], y: [1, 2] }], layout: { width: 300, height: 200 } };
    const file = write("a.ipynb", "show()");
    const output = { output_type: "display_data", metadata: {}, data: { [PLOTLY]: figure, "text/plain": "[figure]" } };
    await publishNotebook(file, write("a.done.ipynb", "show()", [output]), provenance);
    const { cells, metadata } = JSON.parse(fs.readFileSync(file, "utf8")) as Published;
    expect(metadata.kernelspec).toEqual({});
    expect(notebookStamp(file)).toEqual({ ...provenance, cells: codeCellsHash(file) });
    expect(cells[1].execution_count).toBe(1);
    const { data } = cells[1].outputs![0];
    expect(data[PLOTLY]).toEqual(figure);
    const { width, height } = await sharp(Buffer.from(data["image/png"], "base64")).metadata();
    expect([width, height]).toEqual([300, 200]);
  });

  it("keeps a picture once, as PNG, which every viewer shows", async () => {
    const file = write("c.ipynb", "show()");
    const metadata = { "image/png": { alt: "a dot" } };
    const data = { "text/html": '<img alt="a dot" src="data:image/png;base64,AAAA">', "image/png": "AAAA" };
    const table = { output_type: "display_data", metadata: {}, data: { "text/html": "<table></table>" } };
    const picture = { output_type: "display_data", metadata, data };
    await publishNotebook(file, write("c.done.ipynb", "show()", [picture, table]), provenance);
    const { cells } = JSON.parse(fs.readFileSync(file, "utf8")) as Published;
    expect(cells[1].outputs).toEqual([{ ...picture, data: { "image/png": "AAAA" } }, table]);
  });

  it.each([
    ["other cells", () => write("b.done.ipynb", "1 + 2", [text("3\n")]), /its code cells are not those of/],
    ["a path of this machine", () => write("b.done.ipynb", "1", [text(path.resolve(__dirname))]), /names the folder/],
    [
      "megabytes",
      () => write("b.done.ipynb", "1", [text("x".repeat(MOST_BYTES))]),
      /bytes with its outputs, more than/,
    ],
  ])("refuses %s, and leaves the notebook as it was", async (_, executed, message) => {
    const file = write("b.ipynb", "1");
    const before = fs.readFileSync(file, "utf8");
    await expect(publishNotebook(file, executed(), provenance)).rejects.toThrow(message);
    expect(fs.readFileSync(file, "utf8")).toBe(before);
  });
});

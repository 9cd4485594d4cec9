import sharp from "sharp";
import { afterEach, describe, expect, it, vi } from "vitest";
import { figureJson, renderTable, showFigure, showImages } from "../../lib/report/notebook";

const KERNEL = Symbol.for("fine-r1.kernel");

afterEach(() => {
  vi.restoreAllMocks();
  Reflect.deleteProperty(globalThis, KERNEL);
});

/** The text of a column, gaps at the sides kept, and whether it is set to the right in HTML. */
function column(values: unknown[], options = {}): { cells: string[]; right: boolean } {
  const { text, html } = renderTable(
    values.map((value) => ({ value, end: "|" })),
    options,
  );
  const cells = text
    .split("\n")
    .slice(1)
    .map((line) => line.replace(/ {2}\|$/, "").trim());
  return { cells, right: html.includes('<td style="text-align:right">') };
}

describe("renderTable", () => {
  it("writes a column's numbers with one number of decimals", () => {
    expect(column([1, 20, 300]).cells).toEqual(["1", "20", "300"]);
    expect(column([58, 79.11]).cells).toEqual(["58.00", "79.11"]);
    expect(column([0.5, 1 / 3, 0.1 + 0.2]).cells).toEqual(["0.500", "0.333", "0.300"]);
    expect(column([1234.5678, -2]).cells).toEqual(["1234.568", "-2.000"]);
    expect(column([1.26, 3], { decimals: 1 }).cells).toEqual(["1.3", "3.0"]);
  });

  it("keeps three digits of small numbers", () => {
    expect(column([0.00015, 0.0001, 0]).cells).toEqual(["0.00015", "0.0001", "0.000"]);
    expect(column([0.0045678, 0.25]).cells).toEqual(["0.00457", "0.250"]);
    expect(column([1.5e-9, -2.34567e-5]).cells).toEqual(["1.5e-9", "-0.0000235"]);
    expect(column([0.04, 0.26], { decimals: 1 }).cells).toEqual(["0.04", "0.3"]);
  });

  it("sets numbers to the right, also those that are text, and nothing else", () => {
    for (const values of [
      [1, null, 3],
      ["58%", "7.5 %"],
      ["62.5 ±1.2 [58.1, 66.7]", "-"],
      ["<0.001", "0.52"],
      ["1,204", "-3", "+4", "−5"],
      ["-1.4 [-3.0, 0.2]"],
      [0.00015, "1e-5"],
    ])
      expect(column(values), String(values)).toMatchObject({ right: true });
    for (const values of [["a", "b"], ["-", "-"], ["58 birds"], ["2026-11-28"], ["3/4"], [null], [true], ["1.2.3"]])
      expect(column(values), String(values)).toMatchObject({ right: false });
  });

  it("aligns the text form, heading included", () => {
    expect(
      renderTable([
        { name: "a", share: "8%" },
        { name: "bb", share: "79.1%" },
      ]).text,
    ).toBe("name  share\na        8%\nbb    79.1%");
  });

  it("says what it leaves out, and takes an empty list", () => {
    expect(renderTable([{ a: 1 }, { a: 2 }, { a: 3 }], { limit: 1 }).text).toBe("a\n1\n… and 2 more rows");
    expect(renderTable([]).text).toBe("");
  });
});

describe("figureJson", () => {
  it("takes titles as text and as Plotly 4's objects, in the figure, axes, legend and colour bars", () => {
    const figure = {
      data: [
        {
          type: "bar",
          x: ["title"],
          marker: { color: [1], colorbar: { title: "bar" } },
          meta: { title: "data stays" },
        },
        { type: "heatmap", z: [[1]], colorbar: { title: { text: "z" } } },
      ],
      layout: {
        title: "the whole",
        xaxis: { title: "steps" },
        yaxis2: { title: { text: "loss", font: { size: 9 } } },
        legend: { title: "method" },
        annotations: [{ text: "title", title: "kept" }],
      },
    };
    expect(figureJson(figure)).toEqual({
      data: [
        {
          type: "bar",
          x: ["title"],
          marker: { color: [1], colorbar: { title: { text: "bar" } } },
          meta: { title: "data stays" },
        },
        { type: "heatmap", z: [[1]], colorbar: { title: { text: "z" } } },
      ],
      layout: {
        title: { text: "the whole" },
        xaxis: { title: { text: "steps" } },
        yaxis2: { title: { text: "loss", font: { size: 9 } } },
        legend: { title: { text: "method" } },
        annotations: [{ text: "title", title: "kept" }],
      },
    });
    expect(figure.layout.title).toBe("the whole");
  });

  it("makes lists of typed arrays, and adds no layout", () => {
    expect(figureJson({ data: [{ y: new Float32Array([1, 2]) }] })).toEqual({ data: [{ y: [1, 2] }] });
  });
});

it("showFigure names the figure by either title", () => {
  const said: string[] = [];
  vi.spyOn(console, "log").mockImplementation((text: string) => void said.push(text));
  showFigure({ data: [], layout: { title: "one" } });
  showFigure({ data: [], layout: { title: { text: "two" } } });
  showFigure({ data: [] });
  expect(said).toEqual(["[figure: one]", "[figure: two]", "[figure: untitled]"]);
});

describe("showImages", () => {
  it("gives the picture its captions as a text alternative, as text", async () => {
    const display = vi.fn();
    Object.assign(globalThis, { [KERNEL]: { display } });
    const dot = await sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    await showImages([dot, dot], { captions: ['"><script>', "b"] });
    const [bundle, options] = display.mock.calls[0] as [Record<string, string>, object];
    const html = '<img alt="2 images: &quot;&gt;&lt;script&gt; | b" src="data:image/png;base64,';
    expect(bundle["text/html"]).toBe(`${html}${bundle["image/png"]}">`);
    expect(bundle["text/plain"]).toBe('[2 images: "><script> | b]');
    expect(options).toEqual({ metadata: { "image/png": { alt: '2 images: "><script> | b' } } });
  });
});

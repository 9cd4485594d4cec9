import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { lossFigure } from "../../lib/report/figures";
import {
  hashFiles,
  readStamp,
  saveFigure,
  saveFigures,
  sha256,
  stampOf,
  type Provenance,
} from "../../lib/report/static-figures";
import { canonicalSvg, plotlyAddress } from "../../lib/report/static-figures-kaleido";
import { repositoryRoot } from "../../lib/util/root";

const folder = mkdtempSync(join(tmpdir(), "figures-"));
afterAll(() => rmSync(folder, { recursive: true }));

const provenance: Provenance = { code: sha256("code"), settings: sha256("settings"), data: sha256("data") };
const figure = lossFigure([{ name: "training", step: [0, 1, 2], loss: [3, 2, 1.5] }]);
const rows = [
  { step: 0, loss: 3 },
  { step: 1, loss: 2 },
];
const hasKaleido = existsSync(join(repositoryRoot(), ".venv"));

describe("provenance", () => {
  it("changes with each of its parts, and reads back from a figure", () => {
    const stamps = (["code", "settings", "data"] as const).map((key) => stampOf({ ...provenance, [key]: sha256("x") }));
    expect(new Set([...stamps, stampOf(provenance)]).size).toBe(4);
    expect(readStamp("<svg></svg>")).toBeNull();
  });

  it("hashes files by name and content, whatever the order", async () => {
    const both = await hashFiles(["package.json", "tsconfig.json"]);
    expect(await hashFiles(["tsconfig.json", "package.json"])).toBe(both);
    expect(await hashFiles(["package.json"])).not.toBe(both);
  });
});

describe("plotlyAddress", () => {
  it("is ASCII whatever the clone's path", () =>
    expect(plotlyAddress("/tmp/ä b/100%")).toBe(
      "file:///tmp/%C3%A4%20b/100%25/node_modules/plotly.js-dist-min/plotly.min.js",
    ));
});

describe("canonicalSvg", () => {
  it("replaces the id where it is one, and spares colours and coordinates", () => {
    expect(
      canonicalSvg(
        '<defs id="defs-123456"><clipPath id="clip123456xy"/></defs><path clip-path="url(#clip123456xy)" fill="#123456" d="M0,0.123456"/>',
      ),
    ).toBe(
      '<defs id="defs-0"><clipPath id="clip0xy"/></defs><path clip-path="url(#clip0xy)" d="M0,0.123456" fill="#123456"/>',
    );
    expect(canonicalSvg("<svg/>")).toBe("<svg/>");
  });

  it("sorts attributes, and leaves their values and the text alone", () => {
    expect(canonicalSvg('<rect y="1" style="a: b;" x="0 > 1"/><text x="2">a = "b" > c</text>')).toBe(
      '<rect style="a: b;" x="0 > 1" y="1"/><text x="2">a = "b" > c</text>',
    );
  });
});

describe.skipIf(!hasKaleido)("saveFigure", () => {
  it("writes SVG, CSV and stamp, the same bytes each time, and leaves no temporary file", async () => {
    const [first] = await saveFigures(
      [
        { name: "loss", figure, rows, provenance },
        { name: "again", figure, rows, provenance },
      ],
      folder,
    );
    const svg = readFileSync(first, "utf8");
    expect(svg).toMatch(/^<svg[^>]* height="400"[^>]* width="720"/);
    expect(svg).toContain(">training</text>");
    expect(svg).not.toMatch(/defs-[0-9a-f]{2}/);
    expect(readStamp(svg)).toBe(stampOf(provenance));
    expect(readFileSync(join(folder, "loss.csv"), "utf8")).toBe("step,loss\n0,3\n1,2\n");
    expect(JSON.parse(readFileSync(join(folder, "loss.stamp.json"), "utf8"))).toEqual({
      stamp: stampOf(provenance),
      ...provenance,
      csv: sha256("step,loss\n0,3\n1,2\n"),
      svg: sha256(svg),
    });
    expect(readFileSync(join(folder, "again.svg"), "utf8")).toBe(svg);
    await saveFigure("loss", figure, rows, provenance, folder); // another browser
    expect(readFileSync(first, "utf8")).toBe(svg);
    expect(readdirSync(folder).sort()).toEqual([
      "again.csv",
      "again.stamp.json",
      "again.svg",
      "loss.csv",
      "loss.stamp.json",
      "loss.svg",
    ]);
  }, 150_000); // kaleido may need a second start on a busy machine

  it("draws names of data as they are written, whatever plotly takes for markup", async () => {
    const names = [`<b>bold</b> <img src="x">`, `Salt & "pepper", it's &lt;`, "a < b > c"];
    const losses = names.map((name) => ({ name, step: [0, 1], loss: [2, 1] }));
    const svg = readFileSync(await saveFigure("names", lossFigure(losses), rows, provenance, folder), "utf8");
    const drawn = [...svg.matchAll(/<text class="legendtext"[^>]*>([^<]*)</g)].map(([, text]) =>
      text
        .replace(/&(lt|#60);/g, "<")
        .replace(/&(gt|#62);/g, ">")
        .replace(/&quot;/g, '"')
        .replace(/&amp;/g, "&"),
    );
    expect(drawn).toEqual(names);
  }, 150_000);
});

describe("saveFigure's refusals", () => {
  it("takes no path for a name, and no half provenance", async () => {
    await expect(saveFigure("../loss", figure, rows, provenance, folder)).rejects.toThrow(/no figure name/);
    await expect(saveFigure("loss2", figure, rows, { ...provenance, data: "" }, folder)).rejects.toThrow(
      /provenance.data/,
    );
  });
});

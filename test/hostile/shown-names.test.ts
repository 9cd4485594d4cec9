/** Names, answers and questions that are HTML, Markdown or plotly's markup: everything that shows them shows text. */
import { readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { accuracyBy } from "../../lib/eval/accuracy-by";
import { overview } from "../../lib/eval/overview";
import { resultsTable } from "../../lib/eval/results";
import type { PredictionRow } from "../../lib/eval/rows";
import { writeCardResults } from "../../lib/experiment/model-card";
import { escapeCell, escapeMarkdown } from "../../lib/report/escape-markdown";
import { renderExploreTable } from "../../lib/report/explore-table";
import { learningCurvesFigure, lossFigure, methodBarsFigure, seenUnseenFigure } from "../../lib/report/figures";
import { ablationFigure, ablationOverviewFigure } from "../../lib/report/figures-ablations";
import { accuracyFigure } from "../../lib/report/figures-by";
import { effectsFigure } from "../../lib/report/figures-study";
import { plotlyText, type Figure } from "../../lib/report/figures-theme";
import { fallToUnseen, finding, showFindings } from "../../lib/report/findings";
import { liveHtml } from "../../lib/report/live-curves";
import { paperSeenUnseenFigure } from "../../lib/report/paper";
import { probesFigure } from "../../lib/report/probes-figure";
import { renderDifferences } from "../../lib/report/show-differences";
import { rolloutsHtml } from "../../lib/report/show-rollouts";
import { showTriplet } from "../../lib/report/show-triplet";
import { failureHtml } from "../../lib/report/show-widget";
import { domainPivot, overviewTable, toMarkdown } from "../../lib/report/tables";
import type { Group } from "../../lib/rollout/groups";
import { temporaryFolder } from "../benchmark/photographs/trees";

const HTML = `<img src="http://host/x.png" onerror='alert(1)'><script>alert(2)</script>`;
/** HTML, bold type, a picture and a link of Markdown, entities. */
const NAME = `${HTML}<b>x</b> ![p](http://host/y.png) &lt;i&gt; "q" it's`;
const RAW = /<\/?(img|script|b>x)/i;

const folder = temporaryFolder();
const KERNEL = Symbol.for("fine-r1.kernel");
let bundles: Record<string, unknown>[] = [];
beforeEach(() => {
  bundles = [];
  (globalThis as Record<symbol, unknown>)[KERNEL] = {
    display: (bundle: Record<string, unknown>) => void bundles.push(bundle),
    clearOutput: () => undefined,
    signal: () => undefined,
  };
});
afterEach(() => void delete (globalThis as Record<symbol, unknown>)[KERNEL]);

/** A method that is never right or always, whose every text is the name. */
const rowsOf = (method: string, isRight: boolean): PredictionRow[] =>
  (["closed", "open"] as const).flatMap((setting) =>
    (["seen", "unseen"] as const).flatMap((split) =>
      Array.from({ length: 8 }, (_, i): PredictionRow => ({
        ...{ method, seed: 0, domain: NAME, split, setting, image_path: `${split}${i}` },
        ...{ question: NAME, ground_truth: `${NAME} ${i}`, output: isRight ? `<answer>${NAME} ${i}</answer>` : NAME },
      })),
    ),
  );
const rows = [...rowsOf(NAME, true), ...rowsOf("tapo", false)];

const group = {
  prompt: { user: NAME, groundTruth: NAME },
  rollouts: [{ source: "anchor", reward: { overall: 1, accuracy: 1, format: 1 }, text: NAME }],
  advantages: [1],
} as unknown as Group;
const scores = [{ tokens: [NAME], logProbs: [-1], negativeLogProbs: null, kl: null }];
const images = [{ name: NAME, source: `data:image/png;base64,"><script>` }];

async function tripletHtml(): Promise<string> {
  const file = path.join(folder, "a.png");
  await sharp({ create: { width: 8, height: 8, channels: 3, background: "#fff" } }).toFile(file);
  const image = { file, source: NAME, subcategory: { name: NAME } };
  await showTriplet({ anchor: image, positive: image, negative: image } as unknown as Parameters<
    typeof showTriplet
  >[0]);
  return bundles[0]["text/html"] as string;
}

/** With the descriptions of the pictures that we draw ourselves in their place. */
const withoutOwn = (html: string): string =>
  html.replace(/<img alt="([^"<>]*)"( width="\d+")?( height="\d+")? src="data:image\/[^"<>]*">/g, "$1");

describe("HTML of", () => {
  it.each<[string, () => string | Promise<string>]>([
    ["a group's rollouts", () => rolloutsHtml(group, scores, "id", { title: NAME, images })],
    ["a triplet", tripletHtml],
    [
      "differences",
      async () =>
        (await renderDifferences(rows, [NAME, "tapo"], { benchmark: { images: () => [] }, role: "dev" })).html,
    ],
    [
      "no differences",
      async () => (await renderDifferences([], [NAME, "x"], { benchmark: { images: () => [] }, role: "dev" })).html,
    ],
    ["a failure", () => failureHtml({ ename: NAME, evalue: NAME, traceback: [NAME] })],
    ["a running training", () => liveHtml(NAME, [{ step: 1, metrics: { loss: 1 } }])],
    ["a table to explore", async () => (await renderExploreTable([{ [NAME]: NAME }])).html.replace(/<script>.*$/s, "")],
  ])("%s has no tags of data", async (_, html) => {
    const shown = withoutOwn(await html());
    expect(shown).toContain("&lt;script&gt;");
    expect(shown).not.toMatch(RAW);
  });
});

/** What Markdown would fetch or run: HTML, and images. */
const ACTIVE = /(?<!\\)<[a-z/!?]|(?<!\\)\]\(/i;

describe("Markdown of", () => {
  it.each<[string, () => string]>([
    [
      "findings",
      () => {
        showFindings([finding(rows, [NAME, "tapo"]), finding(rows, ["tapo", NAME]), fallToUnseen(rows, NAME, "open")]);
        return bundles[0]["text/markdown"] as string;
      },
    ],
    ["a table", () => toMarkdown(overviewTable(overview(rows)))],
    ["a table's headings", () => toMarkdown(domainPivot(resultsTable(rows), { split: "seen", setting: "open" }))],
    [
      "a model card",
      () => {
        const file = path.join(folder, "README.md");
        writeFileSync(file, "<!-- results -->\n<!-- end of results -->");
        writeCardResults(folder, rows, "test");
        return readFileSync(file, "utf8").replace(/^<!-- results -->|<!-- end of results -->$/g, "");
      },
    ],
  ])("%s has no HTML or images of data", (_, markdown) => {
    expect(markdown()).toContain("&lt;script>");
    expect(markdown()).not.toMatch(ACTIVE);
  });

  it("a sentence shows names as they are written", () => {
    expect(escapeMarkdown("TAPO, this run (base_cot, w/o intra) & 5 > 3")).toBe(
      "TAPO, this run (base_cot, w/o intra) & 5 > 3",
    );
    expect(escapeMarkdown("**a** _b_ c_d `e` [f](g)\n# h \\ &amp; $i$")).toBe(
      "\\*\\*a\\*\\* \\_b\\_ c_d \\`e\\` \\[f\\](g) # h \\\\ &amp;amp; \\$i\\$",
    );
  });

  it("a cell keeps numbers, and markup that fetches nothing", () => {
    for (const text of ["62.5 ±1.2 [58.1, 66.7]", "<0.001", "`x`", "Salt & pepper", "a < b"])
      expect(escapeCell(text)).toBe(text);
    expect(escapeCell("a|b\n c <a href> \\<b ![x](y) &lt;")).toBe("a\\|b c &lt;a href> \\&lt;b ![x]\\(y) &amp;lt;");
  });
});

/** Plotly's table of entities (`convertEntities`); it takes what stands between `<` and `>` for tags. */
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">" };
const asDrawn = (text: string): string =>
  text
    .replace(/<br>|<\/?b>/g, (tag) => (tag === "<br>" ? " " : ""))
    .replace(/&([a-z]+);/g, (whole, name: string) => ENTITIES[name] ?? whole);

/** All that plotly draws of a figure; what a trace is grouped by is not drawn. */
function texts(value: unknown, key = ""): string[] {
  if (typeof value === "string") return key === "legendgroup" ? [] : [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => texts(inner, name));
}

describe("a figure of", () => {
  const table = resultsTable(rows);
  const curve = { method: NAME, step: [0, 1], metrics: { reward: [0, 1] } };
  const ablation = [{ variant: NAME, minus_tapo: 0, minus_tapo_low: 0, minus_tapo_high: 0, closed_seen: 1 }];
  const probe = { method: NAME, probe: NAME, split: NAME, n: 1, correct: 1, accuracy: 1, low: 0, high: 1, chance: 0.5 };
  const effect = { label: NAME, difference: 0, low: 0, high: 0, holds: true };
  it.each<[string, () => Figure]>([
    ["domains", () => seenUnseenFigure(table)],
    ["methods", () => methodBarsFigure(overview(rows))],
    [
      "domains over methods",
      () => accuracyFigure(accuracyBy(rows, ["domain", "method"]), { x: "domain", color: "method" }),
    ],
    [
      "methods over domains",
      () => accuracyFigure(accuracyBy(rows, ["domain", "method"]), { x: "method", color: "domain" }),
    ],
    ["curves", () => learningCurvesFigure([curve])],
    ["losses", () => lossFigure([{ name: NAME, step: [0], loss: [1] }])],
    ["hypotheses", () => effectsFigure([effect])],
    ["a family of variants", () => ablationFigure("t", [{ variant: NAME, label: NAME }], ablation)],
    ["variants", () => ablationOverviewFigure(ablation)],
    ["probes", () => probesFigure([probe])],
    [
      "published results",
      () =>
        paperSeenUnseenFigure(
          [{ setting: "open", model: NAME, set: NAME, split: "seen", accuracy: 1 } as never],
          "open",
        ),
    ],
  ])("%s has no tags of data, and shows names as they are", (_, figure) => {
    const drawn = texts(JSON.parse(JSON.stringify(figure())));
    expect(drawn.join("\n")).not.toMatch(RAW);
    expect(drawn.map(asDrawn).join("\n")).toContain("<script>alert(2)</script><b>x</b>");
  });

  it("ordinary names has them unchanged", () => {
    for (const name of ["Salt & pepper", `"q" it's`, "a > b", "R&D", "TAPO w/o intra"]) {
      expect(plotlyText(name)).toBe(name);
      expect(asDrawn(name)).toBe(name);
    }
    expect(asDrawn(plotlyText(NAME))).toBe(NAME);
  });
});

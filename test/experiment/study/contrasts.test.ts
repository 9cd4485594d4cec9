/** Differences seed by seed and domain by domain, and what their intervals exclude: numbers worked by hand. */
import { describe, expect, it } from "vitest";
import type { PredictionRow, Setting } from "../../../lib/eval/rows";
import { besideDevLines } from "../../../lib/experiment/study/beside-dev";
import { domainLines, leftOut, seedLines } from "../../../lib/experiment/study/breakdown";
import { points } from "../../../lib/experiment/study/contrast-text";
import { compareContrast } from "../../../lib/experiment/study/contrasts";
import { EXPLORATORY, exploratoryLines } from "../../../lib/experiment/study/exploratory";
import { testHypotheses, type Hypothesis } from "../../../lib/experiment/study/hypotheses";
import { excludedEffects, excludedLines, interval90Of } from "../../../lib/experiment/study/test-tables";
import { CONTRASTIVE, MAIN_VARIANTS } from "../../../lib/experiment/study/variants";

/** Sub-categories of each split in a domain. */
const DOMAINS = { bird: 4, fruit: 2, tool: 2 } as const;
type Domain = keyof typeof DOMAINS;

type Right = (of: { seed: number; domain: Domain; i: number; split: string; setting: Setting }) => boolean;
/** One question in each world on each sub-category. */
const rowsOf = (method: string, seeds: number[], right: Right): PredictionRow[] =>
  seeds.flatMap((seed) =>
    (Object.keys(DOMAINS) as Domain[]).flatMap((domain) =>
      (["seen", "unseen"] as const).flatMap((split) =>
        Array.from({ length: DOMAINS[domain] }, (_, i) => `${split} ${"abcd"[i]}`).flatMap((name, i) =>
          (["closed", "open"] as const).map((setting) => ({
            method,
            seed,
            domain,
            split,
            setting,
            image_path: `${domain} ${name}`,
            question: "?",
            ground_truth: name,
            output: `<answer> ${right({ seed, domain, i, split, setting }) ? name : "none"}</answer>`,
          })),
        ),
      ),
    ),
  );

// a: all birds with every seed, the first fruit with seed 1, no tool; b: no bird, no fruit, the first tool.
// Of eight sub-categories a split: seed 0 gains 4 - 1 = 3 (0.375), seed 1 4 + 1 - 1 = 4 (0.5)
const a = rowsOf(
  "a",
  [0, 1],
  ({ seed, domain, i }) => domain === "bird" || (domain === "fruit" && seed === 1 && i === 0),
);
const b = rowsOf("b", [0, 1], ({ domain, i }) => domain === "tool" && i === 0);
const rows = new Map([
  ["a", a],
  ["b", b],
]);
const gain: Hypothesis = { name: "X", claim: "a > b", contrasts: [{ a: "a", b: "b", splits: ["seen", "unseen"] }] };
const perSplit: Hypothesis = {
  name: "Y",
  claim: "a > b on each",
  contrasts: (["seen", "unseen"] as const).map((split) => ({ a: "a", b: "b", splits: [split] })),
};

describe("compareContrast", () => {
  const of = compareContrast(rows, gain.contrasts[0])!;

  it("has the difference of each seed, whose mean is the whole", () => {
    expect(of.bySeed).toEqual([0.375, 0.5]);
    expect(of.difference).toBeCloseTo(0.4375, 12);
    expect(of.crossed!.difference).toBeCloseTo(0.4375, 12);
    // the seeds differ on two of 16 sub-categories: mean square of seeds 16 (2 / 16^2) = 1/8, of the residual
    // (2 (7/8)^2 + 14 / 8^2) / 2 / 15 = 7/120; (1/8 - 7/120) / 16 = 1/240
    expect(of.crossed!.seedDeviation).toBeCloseTo(Math.sqrt(1 / 240), 12);
  });

  it("has the difference of each domain, and of all others", () => {
    // bird 1; fruit 0 and 1/2 -> 1/4; tool -1/2. Without birds (0 + 1 - 2) / 8 = -1/8, without fruits 3 / 6, without
    // tools (8 + 1) / 12
    expect(of.byDomain).toEqual([
      { domain: "bird", subcategories: 8, difference: 1, without: -0.125 },
      { domain: "fruit", subcategories: 4, difference: 0.25, without: 0.5 },
      { domain: "tool", subcategories: 4, difference: -0.5, without: 0.75 },
    ]);
    expect(leftOut(of)).toEqual({ least: ["bird", -0.125], most: ["tool", 0.75] });
  });

  it("looks at one world where it is named", () => {
    const half = new Map([
      ["a", rowsOf("a", [0], ({ setting }) => setting === "closed")],
      ["b", rowsOf("b", [0], () => false)],
    ]);
    const on = (setting?: Setting): number =>
      compareContrast(half, { a: "a", b: "b", splits: ["seen"], setting })!.difference;
    expect([on("closed"), on("open"), on()]).toEqual([1, 0, 0.5]);
  });

  it("is null where a method is missing or no seed is common", () => {
    expect(compareContrast(rows, { a: "a", b: "c", splits: ["seen"] })).toBeNull();
    expect(compareContrast(new Map([...rows, ["b", rowsOf("b", [7], () => true)]]), gain.contrasts[0])).toBeNull();
  });
});

describe("tables of the hypotheses' differences", () => {
  const tested = testHypotheses(rows, [gain, perSplit]);

  it("seeds: each, how many are above 0, and their deviation", () => {
    expect(seedLines(tested).map((line) => [line["seed 0"], line["seed 1"], line["above 0"]])).toEqual(
      Array.from({ length: 3 }, () => ["+37.50", "+50.00", "2 of 2"]),
    );
    // all right with seed 0, none with seed 1, against the other way round: +1 and -1, without noise
    const opposite = new Map([
      ["a", rowsOf("a", [0, 1], ({ seed }) => seed === 0)],
      ["b", rowsOf("b", [0, 1], ({ seed }) => seed === 1)],
    ]);
    expect(seedLines(testHypotheses(opposite, [gain]))[0]).toMatchObject({
      "seed 0": "+100.00",
      "seed 1": "-100.00",
      "above 0": "1 of 2",
      "deviation of seeds": (100 * Math.SQRT2).toFixed(2),
    });
  });

  it("seeds: of one, no deviation; a seed that a difference lacks has no number", () => {
    const some = testHypotheses(new Map([...rows, ["c", rowsOf("c", [1], () => false)]]), [
      gain,
      { ...gain, name: "Z", contrasts: [{ a: "a", b: "c", splits: ["seen"] }] },
    ]);
    expect(seedLines(some)[1]).toMatchObject({
      "seed 0": "-",
      "seed 1": "+62.50",
      "above 0": "1 of 1",
      "deviation of seeds": "-",
    });
  });

  it("domains: a column a difference, then the range without one domain", () => {
    expect(domainLines(tested)).toEqual([
      { domain: "bird", X: "+100.00 (8)", "Y seen": "+100.00 (4)", "Y unseen": "+100.00 (4)" },
      { domain: "fruit", X: "+25.00 (4)", "Y seen": "+25.00 (2)", "Y unseen": "+25.00 (2)" },
      { domain: "tool", X: "-50.00 (4)", "Y seen": "-50.00 (2)", "Y unseen": "-50.00 (2)" },
      {
        domain: "without one: least",
        X: "-12.50 (bird)",
        "Y seen": "-12.50 (bird)",
        "Y unseen": "-12.50 (bird)",
      },
      {
        domain: "without one: most",
        X: "+75.00 (tool)",
        "Y seen": "+75.00 (tool)",
        "Y unseen": "+75.00 (tool)",
      },
    ]);
    expect(domainLines([])).toEqual([]);
  });

  it("domains: with one there is no range", () => {
    const birds = new Map([...rows].map(([name, own]) => [name, own.filter(({ domain }) => domain === "bird")]));
    expect(domainLines(testHypotheses(birds, [gain])).map(({ X }) => X)).toEqual(["+100.00 (8)", "-", "-"]);
  });

  it("takes the 90 % interval of the crossed model with two seeds, of the bootstrap with one", () => {
    const [two] = tested[0].differences;
    expect(interval90Of(two)).toBe(two.crossed!.interval90);
    const one = compareContrast(
      new Map([...rows].map(([name, own]) => [name, own.filter(({ seed }) => seed === 0)])),
      gain.contrasts[0],
    )!;
    expect(one.crossed).toBeNull();
    expect(interval90Of(one)).toBe(one.interval90);
  });

  it("says what is excluded, and within which margin two methods are equivalent", () => {
    const line = (low: number, high: number) => {
      const [of] = tested[0].differences;
      const given = [{ ...tested[0], differences: [{ ...of, crossed: null, interval90: { low, high } }] }];
      const [got] = excludedLines(given);
      return [got["90 %"], got["excluded, in points"], got["equivalent within 1.5"], got["equivalent within 3"]];
    };
    expect(line(-0.012, 0.0149)).toEqual(["[-1.20, +1.49]", "gains above 1.49, losses above 1.20", "yes", "yes"]);
    expect(line(-0.02, 0.01)).toEqual(["[-2.00, +1.00]", "gains above 1.00, losses above 2.00", "not shown", "yes"]);
    expect(line(0.005, 0.03).slice(1)).toEqual([
      "gains above 3.00, gains below 0.50, losses",
      "not shown",
      "not shown",
    ]);
    expect(excludedEffects({ low: -0.04, high: -0.01 })).toBe("losses above 4.00, losses below 1.00, gains");
    expect(excludedLines(tested)[0]["95 % crossed"]).toMatch(/^\[[+-]\d+\.\d\d, \+\d+\.\d\d\]$/);
  });

  it("beside dev: the differences that both have, and the width of dev's seeds at the test group's size", () => {
    // dev has one seed; the test group two, and each domain four times
    const dev = testHypotheses(new Map([...rows].map(([name, own]) => [name, own.filter(({ seed }) => seed === 0)])), [
      gain,
    ]);
    const larger = testHypotheses(
      new Map(
        [...rows].map(([name, own]) => [
          name,
          [...own, ...["v", "w", "x"].flatMap((x) => own.map((row) => ({ ...row, domain: row.domain + x })))],
        ]),
      ),
      [gain, perSplit],
    );
    const lines = besideDevLines(larger, dev);
    expect(lines.map(({ hypothesis }) => hypothesis)).toEqual(["X"]);
    expect(lines[0]).toMatchObject({ "on dev": "+37.50", "on test": "+43.75" });
    const [of] = dev[0].differences;
    // four times as many sub-categories: half as wide
    expect(Number(lines[0]["half width expected"]) / (50 * (of.high - of.low))).toBeCloseTo(0.5, 1);
  });
});

describe("exploratory differences", () => {
  it("are of methods that the study runs, each once", () => {
    const known: readonly string[] = [...MAIN_VARIANTS, CONTRASTIVE];
    for (const { a: x, b: y } of EXPLORATORY) expect(known).toEqual(expect.arrayContaining([x, y]));
    expect(new Set(EXPLORATORY.map((one) => JSON.stringify(one))).size).toBe(EXPLORATORY.length);
    expect(EXPLORATORY.filter(({ b: y }) => y === "sft")).toHaveLength(7);
  });

  it("have a line where both methods are there, with no correction", () => {
    const found = exploratoryLines(
      new Map([
        ["tapo", rowsOf("tapo", [0], ({ setting, split }) => setting === "open" && split === "unseen")],
        [CONTRASTIVE, rowsOf(CONTRASTIVE, [0], () => false)],
      ]),
    );
    expect(found.map((line) => [line["sub-categories"], line.points, line["95 % crossed"]])).toEqual([
      ["closed seen", "+0.00", "-"],
      ["closed unseen", "+0.00", "-"],
      ["open seen", "+0.00", "-"],
      ["open unseen", "+100.00", "-"],
    ]);
    expect(found[3]["p, not corrected"]).toBe("<0.001");
  });
});

describe("points", () => {
  it("have a sign, and none of rounding", () => {
    expect([0.0125, -0.0125, 0, -1e-17, -0.00001].map(points)).toEqual(["+1.25", "-1.25", "+0.00", "+0.00", "-0.00"]);
  });
});

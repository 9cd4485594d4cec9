/** The study's tables, from predictions whose accuracies are worked by hand; and their way through the archive. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../../lib/eval/rows";
import { archive } from "../../../lib/experiment/study/archive";
import { archiveOf } from "../../../lib/experiment/study/places";
import { readStudy } from "../../../lib/experiment/study/read";
import { studyTables } from "../../../lib/experiment/study/tables";

const NAMES = Array.from({ length: 20 }, (_, i) => `bird ${String.fromCharCode(97 + i)}`);

/** Twenty sub-categories, ten of each split, asked in both worlds; `right` says which are answered rightly. */
function rowsOf(method: string, seed: number, right: (i: number, setting: "closed" | "open") => boolean) {
  return NAMES.flatMap((name, i) =>
    (["closed", "open"] as const).map((setting): PredictionRow => ({
      method,
      seed,
      domain: "birds",
      split: i < 10 ? "seen" : "unseen",
      setting,
      image_path: `${name}.png`,
      question: "What bird is it?",
      ground_truth: name,
      output: `<think> t</think><answer> ${right(i, setting) ? name : "none"}</answer>`,
    })),
  );
}

// of ten: sft 5 seen and 2 unseen, closed and open alike; tapo all seen, unseen 6 closed and 2 open
const sft = (seed: number) => rowsOf("sft", seed, (i) => (i < 10 ? i < 5 : i < 12));
const tapo = (seed: number) => rowsOf("tapo", seed, (i, setting) => i < 10 || i < (setting === "closed" ? 16 : 12));

describe("studyTables", () => {
  const rows = new Map([
    ["tapo", [...tapo(0), ...tapo(1)]],
    ["sft", [...sft(0), ...sft(1)]],
  ]);
  const { methods, tests, testNotes, effects, planned, ...tables } = studyTables(rows);

  it("has a line a method, in the protocol's order, with the accuracy of each cell and their mean", () => {
    expect(methods.map(({ method, seeds }) => [method, seeds])).toEqual([
      ["sft", 2],
      ["tapo", 2],
    ]);
    const cells = ["closed seen", "closed unseen", "open seen", "open unseen", "mean"];
    const means = methods.map((line) => cells.map((cell) => String(line[cell]).split(" ")[0]));
    expect(means).toEqual([
      ["50.0", "20.0", "50.0", "20.0", "35.0"],
      ["100.0", "60.0", "100.0", "20.0", "70.0"],
    ]);
    expect(methods[0]).toMatchObject({ "format %": "100.0", "listing %": "0.0" });
  });

  it("tests the hypotheses whose methods are there, in points, and says which hold", () => {
    expect(tests.map(({ hypothesis, difference, points, holds }) => [hypothesis, difference, points, holds])).toEqual([
      ["H2", "tapo - sft", "+35.00", "yes"],
      ["H7", "tapo - sft", "+20.00", "no"],
    ]);
    expect(effects.map(({ label, difference }) => [label, Number(difference.toFixed(6))])).toEqual([
      ["H2: tapo - sft, seen and unseen", 0.35],
      ["H7: tapo - sft, unseen", 0.2],
    ]);
    for (const { low, difference, high } of effects) expect(low < difference && difference < high).toBe(true);
  });

  it("says which hypotheses cannot be tested yet, that all are corrected for, and how to read p", () => {
    expect(testNotes[0]).toMatch(
      /^p is two-sided; .*counts as p = 1\. That is no evidence that there is no difference/,
    );
    expect(testNotes[1]).toBe(
      "Not tested yet, because results are missing: H1, H3, H4, H5, H6. Holm's method corrects for all seven hypotheses all the same.",
    );
    expect(testNotes[2]).toMatch(/^H7 is read only if H2 holds/);
    // the least p of 2,000 draws is 2 / 2001: 0.007 of seven. The next is corrected for six: with two it would hold
    expect(tests.map((line) => [line.p, line["p (Holm)"]])).toEqual([
      ["<0.001", "0.007"],
      ["0.011", "0.066"],
    ]);
  });

  it("counts the answers that hold the name and more", () => {
    const padded = sft(0).map((row, i) =>
      i < 3 ? { ...row, output: row.output.replace("</answer>", " or none</answer>") } : row,
    );
    const [line] = studyTables(new Map([["sft", [...padded, ...sft(1)]]])).methods;
    expect([line["inclusion only"], methods[0]["inclusion only"]]).toEqual([3, 0]);
    expect(line.mean).toBe(methods[0].mean); // they count as right
  });

  it("plans the interval of tapo - sft, and none where one is missing or all seeds of the test group are there", () => {
    expect(planned!.halfWidth).toBeGreaterThan(0);
    expect(planned!.seeds).toBe(2);
    const alone = studyTables(new Map([["sft", sft(0)]]));
    expect([alone.planned, alone.tests, alone.testNotes, alone.methods.length]).toEqual([null, [], [], 1]);
    const five = (make: (seed: number) => PredictionRow[]) => [0, 1, 2, 3, 4].flatMap(make);
    const all = new Map([
      ["tapo", five(tapo)],
      ["sft", five(sft)],
    ]);
    expect(studyTables(all, "test").planned).toBeNull();
    expect(studyTables(all, "dev").planned!.seeds).toBe(5);
    expect(studyTables(rows, "test").planned!.seeds).toBe(2);
  });

  it("has its other tables for the same differences", () => {
    expect(tables.excluded.map(({ hypothesis }) => hypothesis)).toEqual(["H2", "H7"]);
    expect(tables.bySeed.map((line) => [line.hypothesis, line["seed 0"], line["seed 1"]])).toEqual([
      ["H2", "+35.00", "+35.00"],
      ["H7", "+20.00", "+20.00"],
    ]);
    expect(tables.byDomain[0]).toEqual({ domain: "birds", H2: "+35.00 (20)", H7: "+20.00 (10)" });
    expect(tables.exploratory.map(({ difference }) => difference)).toEqual(["tapo - sft"]);
    expect(tables.besideDev).toEqual([]);
  });

  it("of the test group sets dev's differences beside its own", () => {
    const dev = new Map([
      ["tapo", sft(0)],
      ["sft", sft(0)],
    ]);
    expect(studyTables(rows, "test", dev).besideDev).toEqual([
      expect.objectContaining({
        hypothesis: "H2",
        "on dev": "+0.00",
        "half width expected": "0.00",
        "on test": "+35.00",
      }),
      expect.objectContaining({
        hypothesis: "H7",
        "on dev": "+0.00",
        "half width expected": "0.00",
        "on test": "+20.00",
      }),
    ]);
  });

  it("are the same from the archive, of all seeds or of some", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "study-"));
    try {
      expect(readStudy("dev", undefined, folder)).toBeNull();
      const of = (variant: string, seed: number, own: PredictionRow[]) => ({
        variant,
        seed,
        code: "c",
        data: "d",
        settings: variant,
        rows: own,
      });
      archive(archiveOf(folder), [
        of("tapo", 0, tapo(0)),
        of("sft", 0, sft(0)),
        of("tapo", 1, tapo(1)),
        of("sft", 1, sft(1)),
      ]);
      const read = readStudy("dev", undefined, folder)!;
      expect(read.methods).toEqual(methods);
      expect(read.tests).toEqual(tests);
      expect(readStudy("dev", [1], folder)!.methods.map(({ seeds }) => seeds)).toEqual([1, 1]);
      expect(readStudy("dev", [7], folder)).toBeNull();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

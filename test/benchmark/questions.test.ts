import { writeFileSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { emojiBenchmark, loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { rankedNeighbours } from "../../lib/benchmark/neighbours";
import { openBenchmark } from "../../lib/benchmark/open";
import { readReleased, releasedFile } from "../../lib/benchmark/photographs";
import { limited, questionsOf, questionsOfFile } from "../../lib/benchmark/questions";
import type { Neighbours } from "../../lib/benchmark/triplets";
import type { Benchmark, Question, QuestionRequest } from "../../lib/benchmark/types";
import { evaluationQuestions } from "../../lib/experiment/evaluate";
import { askedQuestions } from "../../lib/experiment/evaluate-any";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Experiment } from "../../lib/experiment/types";
import { foldIn } from "../../lib/util/random";
import { nameSimilarity } from "../../lib/util/spelling";
import { writeMiniature } from "../helpers/miniature-sets";
import { temporaryFolder } from "./photographs/trees";

const sets = temporaryFolder();
let [flower, dog]: Benchmark[] = [];
beforeAll(async () => {
  for (const name of ["flower", "dog"] as const) await writeMiniature(name, path.join(sets, name));
  [flower, dog] = [await openBenchmark({ benchmark: "flower", sets }), await openBenchmark({ benchmark: "dog", sets })];
});
const bySpelling = (benchmark: Benchmark): Neighbours =>
  rankedNeighbours(benchmark, (a, b) => nameSimilarity(a.name, b.name));
const ask = (of: Benchmark, request: QuestionRequest): Question[] => questionsOf(of, bySpelling(of), request).questions;

describe("questions of a set with released rows", () => {
  const file = releasedFile("flower", "unseen");
  const released = readReleased(file);
  /** Those about sub-categories that the miniature has. */
  const expected = () => {
    const names = new Set(flower.subcategories({ split: "unseen" }).map(({ name }) => name));
    return released.rows
      .map((row, i) => ({ row, line: released.lines[i] }))
      .filter(({ row }) => names.has(row.ground_truth));
  };

  it("are those rows in their order, each with its image or none", () => {
    const closed = ask(flower, { setting: "closed", splits: ["unseen"] });
    const rows = expected();
    expect(rows.length).toBeGreaterThan(100);
    expect(
      closed.map(({ image_path, question, ground_truth, where }) => [image_path, question, ground_truth, where]),
    ).toEqual(rows.map(({ row, line }) => [row.image_path, row.question, row.ground_truth, `${file}, line ${line}`]));
    const tests = new Map(flower.images("test").map((image) => [path.basename(image.file!), image.file]));
    expect(closed.map(({ image }) => image)).toEqual(
      rows.map(({ row }) => tests.get(path.posix.basename(row.image_path)) ?? null),
    );
    expect(closed.filter(({ image }) => image !== null)).toHaveLength(5 * 3); // the miniature's
    expect(closed[7]).toMatchObject({ domain: "flower", split: "unseen", setting: "closed" });
    const first = closed.filter((one) => one.options![0] === one.ground_truth).length / rows.length;
    expect(first).toBeGreaterThan(0.15);
    expect(first).toBeLessThan(0.35);
  });

  it("keep the released order of options on request; have none in the open world; a limit draws by the seed", () => {
    const own = ask(flower, { setting: "closed", splits: ["unseen"], optionOrder: "released" });
    expect(own.map((one) => one.options)).toEqual(expected().map(({ row }) => row.options));
    const open = (seed: number): Question[] => ask(flower, { setting: "open", splits: ["unseen"], limit: 9, seed });
    expect([open(2).length, open(2).some((one) => one.options)]).toEqual([9, false]);
    expect(open(2)).toEqual(open(2));
    expect(open(3)).not.toEqual(open(2));
  });

  it("are one for each test image where own ones are asked for, and of the dev images always", () => {
    const own = ask(flower, { setting: "closed", splits: ["unseen"], source: "own", question: "Which?" });
    const ids = (role: "dev" | "test"): string[] =>
      flower.subcategories({ split: "unseen" }).flatMap((one) => flower.images(role, one).map(({ id }) => id));
    expect(own.map(({ image_path }) => image_path)).toEqual(ids("test"));
    expect(new Set(own.map(({ question }) => question))).toEqual(new Set(["Which?"]));
    const dev = ask(flower, { setting: "open", splits: ["unseen"], role: "dev" });
    expect(dev.map(({ image_path }) => image_path)).toEqual(ids("dev"));
  });
});

describe("questions of a set without released rows", () => {
  it("have four options of the truth's split, the truth among them, and follow from the seed", () => {
    const closed = ask(dog, { setting: "closed", seed: 1 });
    expect(closed.map(({ image_path }) => image_path)).toEqual(dog.images("test").map(({ id }) => id));
    for (const { options, ground_truth, split, image } of closed) {
      expect(new Set(options).size).toBe(Math.min(4, dog.subcategories({ split }).length));
      expect(options).toContain(ground_truth);
      expect(dog.subcategories({ split }).map(({ name }) => name)).toEqual(expect.arrayContaining(options!));
      expect(path.isAbsolute(image!)).toBe(true);
    }
    expect(ask(dog, { setting: "closed", seed: 1 })).toEqual(closed);
    expect(ask(dog, { setting: "closed", seed: 2 })).not.toEqual(closed);
  });
});

describe("questions of Emoji-FGVR", () => {
  const benchmark = emojiBenchmark(loadEmojiFgvr(), []);
  const neighbours: Neighbours = (of) => benchmark.neighbours(of)!;
  const settings = loadSettings({ environment: {}, set: ["seed=4", "eval.role=dev"] });
  const experiment = { settings, benchmark, neighbours: () => Promise.resolve(neighbours) } as unknown as Experiment;

  it("are the same in an experiment, by the command line and here, under the same seed", async () => {
    const of = (setting: "closed" | "open"): Question[] =>
      questionsOf(benchmark, neighbours, { setting, role: "dev", seed: foldIn(4, "evaluation") }).questions;
    const own = [...of("closed"), ...of("open")];
    expect((await evaluationQuestions(experiment)).questions).toEqual(own);
    expect((await askedQuestions(experiment, { setting: "closed" })).questions).toEqual(of("closed"));
    expect((await askedQuestions(experiment, { setting: "open", splits: ["unseen"] })).questions).toEqual(
      of("open").filter(({ split }) => split === "unseen"),
    );
    expect(path.isAbsolute(own[0].image!)).toBe(true);
  });

  it("of both worlds are about the same images where there is a limit", async () => {
    const some = { ...settings, eval: { ...settings.eval, limit: 12 } };
    const { questions } = await evaluationQuestions({ ...experiment, settings: some } as Experiment);
    const images = (setting: string): string[] =>
      questions.filter((one) => one.setting === setting).map(({ image_path }) => image_path);
    expect(images("closed")).toHaveLength(12);
    expect(images("open")).toEqual(images("closed"));
  });
});

describe("limited", () => {
  it("is a sample without repetition; all where the limit is 0 or no less than there are", () => {
    const questions = ask(dog, { setting: "open" });
    expect(limited(questions, 0, 1)).toBe(questions);
    expect(limited(questions, questions.length, 1)).toBe(questions);
    const five = limited(questions, 5, 1);
    expect(new Set(five.map(({ image_path }) => image_path)).size).toBe(5);
    expect(limited(questions, 5, 1)).toEqual(five);
    expect(limited(questions, 5, 2)).not.toEqual(five);
  });
});

describe("questionsOfFile", () => {
  const row = { image_path: "a.jpg", question: "Which?", options: ["fox", "cat", "dog"], ground_truth: "cat" };
  const write = (name: string, rows: readonly object[]): string => {
    const file = path.join(sets, name);
    writeFileSync(file, rows.map((one) => `${JSON.stringify(one)}\n`).join(""));
    return file;
  };

  it("takes the side from the row, the request, or the file's name, and the image from the file's folder", () => {
    writeFileSync(path.join(sets, "a.jpg"), "");
    const file = write("mine_seen.jsonl", [row, { ...row, image_path: "b.jpg", split: "unseen", domain: "d" }]);
    const { name, questions } = questionsOfFile({ file, setting: "closed", optionOrder: "released" });
    expect(name).toBe("mine_seen");
    expect(questions).toMatchObject([
      { ...row, split: "seen", domain: "mine_seen", image: path.join(sets, "a.jpg"), where: `${file}, line 1` },
      { split: "unseen", domain: "d", image: null },
    ]);
    expect(questionsOfFile({ file, setting: "open" }).questions[0]).not.toHaveProperty("options");
    const plain = write("plain.jsonl", [row]);
    expect(questionsOfFile({ file: plain, setting: "open", split: "unseen" }).questions[0].split).toBe("unseen");
    expect(() => questionsOfFile({ file: plain, setting: "open" })).toThrow(/plain\.jsonl.*line 1.*"split" is neither/);
  });

  it.each([
    [{ ...row, question: "Which?" }, /image a\.jpg with this question is in line 1 already/],
    [{ ...row, image_path: "b.jpg", domain: 3 }, /field "domain" is no text/],
    [{ ...row, image_path: "../b.jpg" }, /no relative path/],
    [{ ...row, image_path: "b.jpg", ground_truth: "cow" }, /lacks the ground truth/],
  ])("names file and line of a bad row, or leaves it out (%#)", (bad, message) => {
    const file = write("bad_seen.jsonl", [row, bad]);
    expect(() => questionsOfFile({ file, setting: "closed" })).toThrow(message);
    expect(() => questionsOfFile({ file, setting: "closed" })).toThrow(/bad_seen\.jsonl.*line 2/);
    const { questions, skipped } = questionsOfFile({ file, setting: "closed", onBadRow: "skip" });
    expect([questions.length, skipped.length, skipped[0].line]).toEqual([1, 1, 2]);
  });
});

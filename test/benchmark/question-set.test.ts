import * as path from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { loadQuestions } from "../../lib/benchmark/question-set";
import { nameSimilarity, readReleased, releasedFile } from "../../lib/benchmark/photographs";
import { foldIn } from "../../lib/util/random";
import { temporaryFolder, trees, writeTree } from "./photographs/trees";

const folder = temporaryFolder();

describe("loadQuestions", () => {
  it("one of the six: the released rows in their order, each with its image or none", async () => {
    const { rows } = readReleased(releasedFile("flower", "unseen"));
    const image = rows[7].image_path.slice(rows[7].image_path.lastIndexOf("/") + 1);
    const bytes = await sharp({ create: { width: 2, height: 2, channels: 3, background: "red" } })
      .jpeg()
      .toBuffer();
    const root = writeTree(path.join(folder, "flower"), { ...trees.flower, [`jpg/${image}`]: bytes });
    const closed = await loadQuestions({ set: "flower", root, setting: "closed", split: "unseen" });
    expect(
      closed.questions.map(({ image_path, question, ground_truth }) => [image_path, question, ground_truth]),
    ).toEqual(rows.map(({ image_path, question, ground_truth }) => [image_path, question, ground_truth]));
    expect(closed.questions[7]).toMatchObject({
      domain: "flower",
      split: "unseen",
      where: `${releasedFile("flower", "unseen")}, line 8`,
    });
    const first = closed.questions.filter((one) => one.options![0] === one.ground_truth).length / rows.length;
    expect(first).toBeGreaterThan(0.2);
    expect(first).toBeLessThan(0.3);
    const released = await loadQuestions({
      set: "flower",
      root,
      setting: "closed",
      split: "unseen",
      optionOrder: "released",
    });
    expect(released.questions.map((one) => one.options)).toEqual(rows.map((row) => row.options));
    const open = await loadQuestions({ set: "flower", root, setting: "open", split: "unseen", limit: 9, seed: 2 });
    expect([open.questions.length, open.questions.some((one) => one.options)]).toEqual([9, false]);
    expect(await loadQuestions({ set: "flower", root, setting: "open", split: "unseen", limit: 9, seed: 2 })).toEqual(
      open,
    );
  });

  it("emoji-fgvr: the rows of the experiment under the same seed", async () => {
    const expected = loadEmojiFgvr().evaluationRows({ role: "dev", setting: "closed", seed: foldIn(4, "evaluation") });
    const { questions } = await loadQuestions({ set: "emoji-fgvr", setting: "closed", role: "dev", seed: 4 });
    const fields = (
      rows: readonly { image_path: string; options?: readonly string[]; ground_truth: string }[],
    ): string[] => rows.map((row) => JSON.stringify([row.image_path, row.options, row.ground_truth])).sort();
    expect(fields(questions)).toEqual(fields(expected));
    expect(path.isAbsolute(questions[0].image!)).toBe(true);
  });
});

describe("nameSimilarity", () => {
  it("is the share of letter trigrams: `  cat ` and `  car ` share 2 of 6", () => {
    expect(nameSimilarity("cat", "Car")).toBe(2 / 6); // "  c", " ca" of "cat", "at ", "car", "ar "
    expect(nameSimilarity("Song_Sparrow", "song sparrow")).toBe(1);
    expect(nameSimilarity("fox", "wolf")).toBe(0);
  });
});

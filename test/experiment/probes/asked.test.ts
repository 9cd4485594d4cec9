/** What the probes ask, of whom, and when an answer is right. */
import { mkdirSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { emojiBenchmark, loadEmojiFgvr } from "../../../lib/benchmark/emoji-fgvr";
import type { Knowledge } from "../../../lib/benchmark/emoji-fgvr/knowledge";
import { ROLES } from "../../../lib/benchmark/emoji-fgvr/types";
import { tinyPrompts } from "../../../lib/benchmark/prompts";
import { subcategoryOf } from "../../../lib/benchmark/types";
import { knowledgeQuestions } from "../../../lib/experiment/probes/knowledge";
import { probedMethods } from "../../../lib/experiment/probes/run";
import { probeSamples } from "../../../lib/experiment/probes/samples";
import { SHORT_QUESTIONS } from "../../../lib/experiment/probes/transfer";
import { loadSettings } from "../../../lib/experiment/load-settings";
import { temporaryFolder } from "../../benchmark/photographs/trees";

const data = loadEmojiFgvr();
const benchmark = emojiBenchmark(data, []);
const settings = loadSettings({ scale: "default", environment: {} });
/** Role of the designer of each drawing. */
const roleOf = new Map(
  ROLES.flatMap((role) =>
    data.concepts.flatMap((c) => data.drawings(c, role).map((d) => [d.path, data.roleOf(d.style)])),
  ),
);

describe("probeSamples", () => {
  it.each(["dev", "test"] as const)("fits on few-shot designers and tests on those of %s", (role) => {
    const { train, test } = probeSamples({ benchmark, settings: { ...settings, eval: { ...settings.eval, role } } });
    const rolesOf = (samples: typeof train): Set<string> => new Set(samples.map(({ id }) => roleOf.get(id)!));
    expect(rolesOf(train)).toEqual(new Set(["fewshot"]));
    expect(rolesOf(test)).toEqual(new Set([role]));
    const designers = new Set(train.map(({ source }) => source));
    expect(designers.has(undefined)).toBe(false);
    expect(test.some(({ source }) => designers.has(source))).toBe(false);
    expect(test.length).toBe(data.subcategories().reduce((n, c) => n + data.drawings(c, role).length, 0));
    expect(new Set(train.map(({ subcategory }) => subcategory.split))).toEqual(new Set(["seen", "unseen"]));
  });

  it("tests on a sample where the evaluation is limited, and leaves out images that are missing", () => {
    const { train, test } = probeSamples({ benchmark, settings }, 7);
    expect([train.length, new Set(test.map(({ id }) => id)).size]).toEqual([benchmark.images("fewshot").length, 7]);
    const [gone] = benchmark.images("fewshot");
    const without = {
      ...benchmark,
      images: ((...of) =>
        benchmark
          .images(...of)
          .map((one) => (one.id === gone.id ? { ...one, file: null } : one))) as typeof benchmark.images,
    };
    expect(probeSamples({ benchmark: without, settings }).train).toEqual(train.filter(({ id }) => id !== gone.id));
  });
});

describe("knowledgeQuestions", () => {
  it("asks of a name what it looks like and of a look its name, four distinct candidates, the truth first", () => {
    const all = data.subcategories({ domain: "mammal" }).map((c) => ({
      id: c.id,
      name: c.name,
      evaluated: true,
      question: "What mammal is this?",
      kind: c.kind,
      colors: ["red"],
      words: c.visualWords,
      neighbours: [] as Knowledge[],
      drawings: [],
    }));
    for (const k of all) k.neighbours = all.filter((other) => other !== k);
    const questions = knowledgeQuestions(all, { benchmark, prompts: tinyPrompts, settings });
    expect(questions).toHaveLength(2 * all.length);
    questions.forEach(({ conversations, split }, i) => {
      const k = all[Math.floor(i / 2)];
      expect(split).toBe(subcategoryOf(benchmark, k.id).split);
      const texts = conversations.map((c) => c.turns[0].assistant);
      expect(texts).toHaveLength(4);
      expect(texts[0]).toBe(i % 2 === 0 ? ` red, ${k.words.join(" ")}.` : `<answer> ${k.name}</answer>`);
      if (i % 2 === 1) expect(new Set(texts).size).toBe(4);
      expect(new Set(conversations.map((c) => c.turns[0].user)).size).toBe(1);
      if (i % 2 === 1) expect(conversations[0].turns[0].user).not.toContain(k.name);
    });
  });
});

describe("SHORT_QUESTIONS", () => {
  it.each([
    [0, " red blue.", ["red", "tan"], true],
    [0, " blue red.", ["red", "tan"], false],
    [0, "", ["red"], false],
    [1, " wide solid symmetric.", ["symmetric", "wide", "solid"], true],
    [1, " wide solid.", ["symmetric", "wide", "solid"], false],
    [2, " bird.", ["bird"], true],
    [2, " bird fruit.", ["bird"], false],
    [3, " wing beak.", ["wing", "beak", "tail", "claw"], true],
    [3, " wing.", ["wing", "beak", "tail", "claw"], false],
  ])("question %i: %j against %j is %s", (question, answer, truth, right) => {
    expect(SHORT_QUESTIONS[question].right(answer, truth)).toBe(right);
  });
});

describe("probedMethods", () => {
  const folder = temporaryFolder();

  it("leaves out what the run has no model of, with the reason, and refuses an unknown method", () => {
    mkdirSync(path.join(folder, "models/sft"), { recursive: true });
    mkdirSync(path.join(folder, "adapters/cls-rl"), { recursive: true });
    expect(probedMethods({ folder }, ["base", "base-cot", "sft", "cls-rl", "tapo"])).toEqual({
      found: ["base", "base-cot", "sft", "cls-rl"],
      absent: [{ method: "tapo", reason: expect.stringContaining("models/tapo") as string }],
    });
    expect(() => probedMethods({ folder }, ["../x"])).toThrow('no method "../x"');
    expect(() => probedMethods({ folder }, ["clip-base"])).toThrow('no method "clip-base"');
  });
});

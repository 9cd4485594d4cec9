/** Which link of the chain fails: a model by script, four sub-categories, accuracies by hand. */
import { describe, expect, it } from "vitest";
import { tinyPrompts } from "../../../lib/benchmark/prompts";
import type { Params } from "../../../lib/engine/tensorflow";
import { loadSettings } from "../../../lib/experiment/load-settings";
import { chainLinks } from "../../../lib/experiment/study/links";
import type { Experiment } from "../../../lib/experiment/types";
import type { PromptRow } from "../../../lib/rollout/types";

const NAMES = ["bear", "fox", "lynx", "wolf"];
const subcategories = NAMES.map((name) => ({ id: name, name, domain: "mammal", split: "seen" as const }));
const images = subcategories.map((subcategory) => ({
  id: `${subcategory.name}.png`,
  subcategory,
  file: "there",
  key: [],
}));
const settings = loadSettings({
  scale: "smoke",
  environment: {},
  set: ["eval.limit=0", "eval.batchSize=3", "eval.maxNewTokens=50"],
});

const encode = (text: string): number[] => [...text].map((letter) => letter.codePointAt(0)!);
const decode = (ids: readonly number[]): string => String.fromCodePoint(...ids);

/** What the model was shown: the image's truth, whether there were options, and how its answer was begun. */
interface Shown {
  truth: string;
  closed: boolean;
  begun: string;
}
const answer = (name: string): string => ` </think><answer> ${name}</answer>`;

/**
 * By itself it knows the fox, with one word of its own the bear too, with true words the wolf too, with true candidates
 * the bear too. With both it knows the lynx too, but in the open world forgets the answer's tags there.
 */
function scripted({ truth, closed, begun }: Shown, sample: number, samples: number): string {
  if (samples > 1) return sample < 2 && truth === "fox" ? answer("fox") : answer("none");
  if (begun === "") {
    const analysis = truth === "wolf" ? "" : "<think> Analysis: blue, guess more. Candidates: cow.";
    return analysis + answer(truth === "fox" ? truth : "none");
  }
  if (begun.endsWith(" Candidates:")) return answer(["fox", "bear"].includes(truth) ? truth : "none");
  const words = begun.includes("Analysis: red, ");
  const candidates = begun.includes(" Candidates: ");
  if (words && candidates && truth === "lynx" && !closed) return " lynx";
  const known = ["fox", "wolf", ...(candidates ? ["bear"] : []), ...(words && candidates ? ["lynx"] : [])];
  return answer(known.includes(truth) ? truth : "none");
}

/** An experiment of this benchmark and this model; `seen` collects what the model was shown, `open` counts features. */
function scriptedExperiment(seen: Shown[]) {
  const held = { features: 0 };
  const row = (text: string): PromptRow => {
    const inputIds = encode(text);
    const places = inputIds.map((_, i) => i);
    return { inputIds, positionIds: [places, places, places], featureIndex: inputIds.map(() => -1) };
  };
  const shownOf = ({ inputIds }: PromptRow): Shown => {
    const [, file, prompt, begun] = /^\[(.*?)\](.*?)\|(.*)$/s.exec(decode(inputIds))!;
    return { truth: file.replace(".png", ""), closed: prompt.includes("Options"), begun };
  };
  const generate = (_: Params, { prompts }: { prompts: PromptRow[] }, { numGenerations }: { numGenerations: number }) =>
    prompts.flatMap((prompt, promptIndex) => {
      const shown = shownOf(prompt);
      seen.push(shown);
      return Array.from({ length: numGenerations }, (__, sampleIndex) => ({
        promptIndex,
        tokenIds: encode(scripted(shown, sampleIndex, numGenerations)),
      }));
    });
  const experiment = {
    settings,
    prompts: tinyPrompts,
    neighbours: () => Promise.resolve((of: { id: string }) => subcategories.filter(({ id }) => id !== of.id)),
    benchmark: {
      name: "four",
      subcategories: () => subcategories,
      images: (_: string, of?: { id: string }) =>
        images.filter(({ subcategory }) => of === undefined || subcategory.id === of.id),
      question: () => "What mammal is this?",
      extras: {
        knowledge: NAMES.map((name) => ({ id: name, name, words: [`${name}-like`] })),
        appearance: () => Promise.resolve({ colors: ["red"], shape: [] }),
      },
    },
    bench: {
      processor: { tokenizer: { encode, decode } },
      eosTokenIds: [],
      bannedTokenIds: [],
      places: (paths: readonly string[]) => paths,
      prompt: (text: string, place: string) => row(`[${place}]${text}|`),
      features: () => {
        held.features++;
        return { dispose: () => void held.features-- };
      },
      generator: { generate },
    },
  };
  return { held, experiment: experiment as unknown as Experiment };
}

describe("chainLinks", () => {
  it("counts under each condition what is right, in batches, and frees the features", async () => {
    const seen: Shown[] = [];
    const { experiment, held } = scriptedExperiment(seen);
    const progress: number[][] = [];
    const links = await chainLinks(experiment, {}, { samples: 4, onProgress: (i, n) => void progress.push([i, n]) });
    const line = (setting: string): [string, number, number][] =>
      links.filter((link) => link.setting === setting).map(({ given, accuracy, n }) => [given, accuracy, n]);
    const upToBoth: [string, number, number][] = [
      ["own", 1 / 4, 4],
      ["one own word", 2 / 4, 4],
      ["words", 2 / 4, 4],
      ["candidates", 3 / 4, 4],
    ];
    const sampled: [string, number, number][] = [
      ["best of samples", 1 / 4, 4],
      ["mean of samples", 2 / 4 / 4, 4], // two of the fox's four
      ["majority of samples", 0.25, 4], // two against two: the first is taken
    ];
    expect(line("closed")).toEqual([...upToBoth, ["words and candidates", 1, 4], ...sampled]);
    expect(line("open")).toEqual([...upToBoth, ["words and candidates", 3 / 4, 4], ...sampled]); // no tags, no answer
    expect(links.every(({ split }) => split === "seen")).toBe(true);
    expect(progress).toEqual([
      [0, 8],
      [3, 8],
      [6, 8],
    ]);
    expect(held.features).toBe(0);
  });

  it("begins with true words, true candidates after the model's own analysis, or both", async () => {
    const seen: Shown[] = [];
    await chainLinks(scriptedExperiment(seen).experiment, {}, { samples: 0 });
    expect(seen).toHaveLength(5 * 8); // no samples were drawn
    for (const closed of [true, false])
      for (const truth of ["bear", "wolf"]) {
        const begun = seen.filter((one) => one.truth === truth && one.closed === closed).map((one) => one.begun);
        const own = truth === "wolf" ? "<think>" : "<think> Analysis: blue, guess more."; // the wolf's answer had no candidates
        const words = `<think> Analysis: red, ${truth}-like.`;
        const one = truth === "wolf" ? "" : "<think> Analysis: blue, guess. Candidates:";
        const given = begun[3].slice(own.length);
        expect(begun).toEqual(["", one, words, own + given, words + given]);
        const names = /^ Candidates: (.*)\.$/.exec(given)![1].split(", ");
        expect(names).toContain(truth);
        expect(new Set(names).size).toBe(closed ? 4 : 3);
        if (!closed) expect(names).toEqual([...names].sort());
      }
  });

  it("is refused where nothing says what sub-categories look like", async () => {
    const { experiment } = scriptedExperiment([]);
    const plain = { ...experiment, benchmark: { ...experiment.benchmark, extras: undefined } };
    await expect(chainLinks(plain, {}, { samples: 0 })).rejects.toThrow(/links: four does not say in words/);
  });
});

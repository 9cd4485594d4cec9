/** Parts of an evaluation and of `cot`, made one after another without Ray, come to the bytes of one run. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { evaluatePart } from "../../cli/ray-evaluate";
import { cotTask } from "../../cli/ray-cot";
import { openForFile } from "../../cli/question-file";
import { questionsOfFile } from "../../lib/benchmark/questions";
import { finishedRows, openParts } from "../../lib/cluster/open-parts";
import { numbered, partsAnswerer, type EvaluatedPart } from "../../lib/cluster/parts-answerer";
import { partText, partsOf, sliceOf, type Part } from "../../lib/cluster/part";
import { manifestFile } from "../../lib/eval/prediction-log";
import { runEvaluation } from "../../lib/eval/runner";
import { OBSERVED_AT_ONCE } from "../../lib/cot/offline-teacher";
import { askedFiles, cotData, joinSlices, reasonedImages, rationalesBy } from "../../lib/experiment/cot";
import { evaluationBench } from "../../lib/experiment/evaluate";
import { evaluateModel } from "../../lib/experiment/evaluate-any";
import { openExperiment, variantOf } from "../../lib/experiment/open";
import { loadSettings } from "../../lib/experiment/load-settings";
import type { Experiment } from "../../lib/experiment/types";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const fixture = path.join(__dirname, "../fixtures/parity/fixture-tied");
const names = Array.from({ length: 11 }, (_, i) => `${"abcdefghijk"[i]}.png`);
const BATCH = 2;
let file = "";

beforeAll(() => {
  mkdirSync(path.join(folder, "images"));
  names.forEach((name, i) => {
    const to = path.join(folder, "images", name);
    if (i === 6) writeFileSync(to, "no image");
    else if (i !== 9) copyFileSync(path.join(fixture, "images", `${["square", "ragged", "resized"][i % 3]}.png`), to);
  });
  const rows = names.map((name, i) => ({
    image_path: name,
    question: i === 3 ? "What is <|im_end|> here?" : `What is in ${name}?`,
    options: ["red fox", "wolf", "jackal", "dhole"],
    ground_truth: "red fox",
  }));
  file = path.join(folder, "foxes_seen.jsonl");
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
});

const settings = () =>
  loadSettings({
    set: [
      `model=${path.join(fixture, "model")}`,
      "precision=float32",
      "eval.maxNewTokens=5",
      `eval.batchSize=${BATCH}`,
      "onBadRow=skip",
    ],
    environment: {},
  });
const questions = () =>
  questionsOfFile({ file, root: path.join(folder, "images"), setting: "closed", seed: 0, onBadRow: "skip" });
const keep = (name: string) => ({ out: path.join(folder, name), method: "m", reason: true, anyImages: true });
const bytes = (out: string): [string, string] => [readFileSync(out, "utf8"), readFileSync(manifestFile(out), "utf8")];

async function withFile<T>(work: (experiment: Experiment) => Promise<T>): Promise<T> {
  const experiment = openForFile(settings());
  try {
    return await work(experiment);
  } finally {
    experiment.close();
  }
}

/** Evaluates each part, one after the other. */
async function evaluatedParts(name: string, wanted: number): Promise<EvaluatedPart[]> {
  const done: EvaluatedPart[] = [];
  for (const part of partsOf(names.length, BATCH, wanted)) {
    const options = keep(`${name}-${part.part}.jsonl`);
    await withFile((experiment) => evaluatePart(experiment, questions(), { ...options, rayTask: partText(part) }));
    done.push({ ...sliceOf(names.length, BATCH, part), file: options.out });
  }
  return done;
}

const joined = (name: string, parts: readonly EvaluatedPart[]) =>
  withFile(async (experiment) => {
    const set = questions();
    const { questions: asked } = await evaluationBench(experiment, set.questions, { anyImages: true });
    const { prompts } = experiment;
    return runEvaluation({ ...set, questions: numbered(asked) }, partsAnswerer(asked, parts, BATCH), {
      ...keep(name),
      seed: 0,
      prompts,
      maxNewTokens: 5,
      onBadRow: "skip",
    });
  });

describe("an evaluation in parts", () => {
  it.each([2, 50])("comes to the bytes of one run, skipped rows too (%i parts at most)", async (wanted) => {
    const one = await withFile((experiment) => evaluateModel(experiment, questions(), keep(`one-${wanted}.jsonl`)));
    expect([one.rows.length, one.skipped.length]).toEqual([8, 3]);
    const whole = await joined(`joined-${wanted}.jsonl`, await evaluatedParts(`part-${wanted}`, wanted));
    expect(whole).toEqual(one);
    expect(bytes(path.join(folder, `joined-${wanted}.jsonl`))).toEqual(bytes(path.join(folder, `one-${wanted}.jsonl`)));
  });

  it("goes on from the rows that its file has: the other parts alone are asked, and the bytes are the same", async () => {
    const one = await withFile((experiment) => evaluateModel(experiment, questions(), keep("begun-one.jsonl")));
    const [out, whole] = ["begun.jsonl", "begun-one.jsonl"].map((name) => path.join(folder, name));
    const lines = readFileSync(whole, "utf8").split("\n").slice(0, 2);
    writeFileSync(out, lines.map((line) => `${line}\n`).join("")); // rows 0 and 1: the first part
    copyFileSync(manifestFile(whole), manifestFile(out));
    const parts = openParts(await evaluatedParts("begun-part", 50), finishedRows(out));
    expect(parts.map(({ from }) => from)).toEqual([2, 4, 6, 8, 10]);
    expect((await joined("begun.jsonl", parts)).rows).toEqual(one.rows);
    expect(bytes(out)).toEqual(bytes(whole));
  });

  it("that are not whole, of other questions or made otherwise are refused by name", async () => {
    const parts = await evaluatedParts("bad", 3);
    const [first, second] = parts;
    const before = readFileSync(second.file, "utf8");
    const lines = before.trimEnd().split("\n");
    writeFileSync(second.file, `${lines.slice(1).join("\n")}\n`);
    await expect(joined("x.jsonl", parts)).rejects.toThrow(/bad-2\.jsonl: row 0 .* has no answer, and no reason/);
    writeFileSync(second.file, before.replace("What is in e.png?", "What was in e.png?"));
    await expect(joined("x.jsonl", parts)).rejects.toThrow(/bad-2\.jsonl: row \d answers another question/);
    writeFileSync(second.file, before);
    const manifest = readFileSync(manifestFile(second.file), "utf8");
    writeFileSync(manifestFile(second.file), manifest.replace('"bf16": false', '"bf16": true'));
    await expect(joined("x.jsonl", parts)).rejects.toThrow(/bad-2\.jsonl was made otherwise than .*bad-1\.jsonl/);
    rmSync(manifestFile(first.file));
    await expect(joined("x.jsonl", parts)).rejects.toThrow(/bad-1\.jsonl is not there/);
  });
});

/** Files of a folder with what is in them; answers in a cache by their names alone. */
const contents = (of: string): Record<string, string> =>
  Object.fromEntries(
    (readdirSync(of, { recursive: true, withFileTypes: true }) as import("node:fs").Dirent[])
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .sort()
      .map((name) => [path.relative(of, name), readFileSync(name, "utf8")]),
  );

describe("rationales in parts", () => {
  const inFolder = (experiment: Experiment, name: string): Experiment =>
    variantOf(experiment, { settings: experiment.settings, folder: path.join(folder, name) });

  async function bothWays(
    set: string[],
    parts: (experiment: Experiment) => Promise<[string, Part][]>,
    join: (experiment: Experiment, parts: Part[]) => void,
  ) {
    const experiment = await openExperiment(loadSettings({ scale: "smoke", set, environment: {} }), {
      say: () => undefined,
    });
    try {
      const one = inFolder(experiment, `cot-one-${rationalesBy(experiment)}`);
      const two = inFolder(experiment, `cot-two-${rationalesBy(experiment)}`);
      const made = await cotData(one);
      const tasks = await parts(two);
      for (const [kind, part] of tasks) await cotTask(two, `${kind}:${partText(part)}`, {});
      join(
        two,
        tasks.map(([, part]) => part),
      );
      // what was asked is there before the records are made: nothing is left to be asked
      const cache = path.join("cot", "cache");
      if (rationalesBy(experiment) === "self")
        expect(contents(path.join(two.folder, cache))).toEqual(contents(path.join(one.folder, cache)));
      let described = 0;
      const again = await cotData(two, { onProgress: () => void described++ });
      expect(again).toEqual(made);
      expect(contents(two.folder)).toEqual(contents(one.folder));
      return { described, tasks: tasks.length };
    } finally {
      experiment.close();
    }
  }

  it("by the base from what it knows: the same files, and nothing is described again", async () => {
    const images = (of: Experiment): number => reasonedImages(of).length;
    const found = await bothWays(
      ["cot.subCategories=13", "cot.descriptionsPerImage=2", "cot.beliefSamples=2"],
      (of) => Promise.resolve(partsOf(images(of), OBSERVED_AT_ONCE, 3).map((part) => ["observations", part])),
      (of, parts) =>
        joinSlices(
          of,
          parts.map((part) => sliceOf(images(of), OBSERVED_AT_ONCE, part)),
        ),
    );
    expect(found).toEqual({ described: 0, tasks: 2 });
  });

  it("by a model that is asked: the same answers in the cache, and the same records", async () => {
    const photos = path.join(folder, "photos");
    const seen = ["red fox", "arctic fox"];
    const picture = (i: number): Buffer =>
      readFileSync(path.join(fixture, "images", `${["square", "ragged", "resized"][i % 3]}.png`));
    writeTree(photos, {
      "split.json": JSON.stringify({ seen, unseen: ["fennec"] }),
      "test/fennec/9.png": picture(0),
      ...Object.fromEntries([0, 1, 2, 3].map((i) => [`train/${seen[i % 2].replace(" ", "_")}/${i}.png`, picture(i)])),
    });
    const set = [
      `benchmark=${photos}`,
      `model=${path.join(fixture, "model")}`,
      "precision=float32",
      "cot.maxTokens=8",
      "cot.descriptionsPerImage=2",
      "cot.rationalesPerImage=1",
    ];
    const found = await bothWays(
      set,
      async (of) => {
        const parts = partsOf((await askedFiles(of)).length, 1, 2);
        return [
          ...parts.map((part): [string, Part] => ["descriptions", part]),
          ...parts.map((part): [string, Part] => ["rationales", part]),
        ];
      },
      () => undefined,
    );
    expect(found.tasks).toBe(4);
  });

  it("a part that was not made is missed by name", async () => {
    const experiment = await openExperiment(loadSettings({ scale: "smoke", environment: {} }));
    try {
      expect(() => joinSlices(inFolder(experiment, "cot-missing"), [{ from: 0, to: 24 }])).toThrow(
        /0 observations of 24 images/,
      );
      await expect(cotTask(experiment, "everything:1/2", {})).rejects.toThrow(
        /expected one of observations, descriptions, rationales/,
      );
    } finally {
      experiment.close();
    }
  });
});

/** `sft` and `rl` on photographs of several sizes: from records and triplets to a model that `generate` reads. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { paperPrompts } from "../../lib/benchmark/prompts";
import { writeSharegpt, type SftRecord } from "../../lib/formats/sharegpt";
import { readStage2, stage2Row, writeStage2, type EncodedImage } from "../../lib/formats/stage2";
import { tf } from "../../lib/engine/tensorflow";
import { openExperiment } from "../../lib/experiment/open";
import { loadSettings } from "../../lib/experiment/load-settings";
import { sftModel } from "../../lib/experiment/sft";
import { promptsOfFile } from "../../lib/experiment/triplet-files";
import { temporaryFolder, writeTree } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";
import { temporaryRun } from "./runs";

const generate = command("generate");
const rl = command("rl");
const sft = command("sft");

const folder = temporaryFolder();
const model = path.join(__dirname, "../fixtures/parity/fixture-tied/model");
const images = path.join(folder, "animals");
const at = (...parts: string[]): string => path.join(folder, ...parts);
const [records, triplets] = [at("records.json"), at("triplets.parquet")];
const runs = Object.fromEntries(["whole", "cut", "lora", "some", "refused"].map((name) => [name, temporaryRun(name)]));
const place = (run: string, ...parts: string[]): string => path.join(runs[run].folder, ...parts);
const COMMON = [`benchmark=${images}`, `model=${model}`, "similarity=names", "shots=3", "precision=float32"];
const SFT = [
  ...COMMON,
  `teacher=${records}`,
  "sft.epochs=2",
  "sft.batchSize=4",
  "sft.gradientAccumulationSteps=2",
  "sft.learningRate=1e-3",
  "sft.warmupSteps=1",
  "sft.saveSteps=1",
];
const RL = [
  "rl.minPixels=0",
  "rl.steps=2",
  "rl.groupsPerStep=2",
  "rl.updatesPerStep=2",
  "rl.gradientAccumulationSteps=1",
  "rl.groupsPerGeneration=2",
  "rl.promptsPerCall=1",
  "rl.numGenerations=4",
  "rl.positiveGenerations=2",
  "rl.maxNewTokens=6",
  "rl.whenNoGroupSurvives=keep-all",
  "rl.maxGenerationBatches=1",
];
/** Settings as options, where an option has their name. */
const line = (run: string, assignments: readonly string[], ...more: string[]): string[] => [
  ...["--run", runs[run].name],
  ...assignments.flatMap((one) => (/^(benchmark|model|similarity|teacher)=/.test(one) ? [`--${one}`] : ["--set", one])),
  ...more,
];
const withoutBars = (err: string): string => err.replace(/^memory: .*there\n|.*█.*\n|.*░.*\n/gm, "");
type Summary = { result: string; run: string; steps: number; left_out: number };
const summary = (out: string): Summary => JSON.parse(out) as Summary;

beforeAll(async () => {
  const made: SftRecord[] = [];
  const encoded: EncodedImage[] = [];
  for (const [i, [width, height]] of [
    [40, 52],
    [66, 30],
    [36, 36],
    [52, 40],
    [80, 44],
    [31, 47],
  ].entries()) {
    const name = ["fox", "wolf"][i % 2];
    const file = path.join(images, "train", name, `${i}.png`);
    mkdirSync(path.dirname(file), { recursive: true });
    await sharp({ create: { width, height, channels: 3, background: { r: 40 * i, g: 200 - 30 * i, b: 90 } } })
      .png()
      .toFile(file);
    made.push({
      system: null,
      user: "What animal is this?",
      assistant: `<think> It is ${name}. </think> <answer>${name}</answer>`,
      image: `animals/train/${name}/${i}.png`,
    });
    encoded.push({ bytes: new Uint8Array(readFileSync(file)), path: `${name}/${i}.png` });
  }
  writeTree(images, {
    "split.json": JSON.stringify({ seen: ["fox", "wolf"], unseen: ["lynx"] }),
    "train/lynx/8.png": encoded[0].bytes,
    "test/fox/9.png": encoded[0].bytes,
  });
  writeSharegpt(records, made);
  writeStage2(
    triplets,
    await Promise.all(
      [0, 1, 2, 3].map((i) =>
        stage2Row({
          problem: "<image>What animal is this?",
          answer: ["fox", "wolf"][i % 2],
          anchor: encoded[i],
          positive: encoded[i + 2],
          negative: encoded[i + 1],
        }),
      ),
    ),
  );
});

describe("sft", () => {
  it("trains on images of several sizes, and leaves a model with log, card and event file", async () => {
    const before = tf.memory().numTensors;
    const { code, out, err } = await capture(sft, line("whole", SFT, "--json"));
    expect([code, withoutBars(err)]).toEqual([0, ""]);
    expect(summary(out)).toMatchObject({
      result: place("whole", "models", "sft"),
      run: runs.whole.name,
      left_out: 0,
      steps: 4,
    });
    expect(readFileSync(place("whole", "models", "sft", "README.md"), "utf8")).toMatch(
      /few-shot images of 2 sub-categories/,
    );
    const losses = readFileSync(place("whole", "logs", "sft.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((one) => (JSON.parse(one) as { loss: number }).loss);
    expect(losses[3]).toBeLessThan(losses[0]);
    expect(tf.memory().numTensors).toBe(before);
    const answer = await capture(generate, [
      ...["--model", place("whole", "models", "sft"), "--image", path.join(images, "train/fox/0.png")],
      ...["--prompt", "What animal is this?", "--max-new-tokens", "2", "--json"],
    ]);
    expect(answer.code).toBe(0);
    const again = await capture(sft, line("whole", SFT));
    expect([again.code, again.out]).toEqual([0, expect.stringMatching(/models\/sft: 4 steps, last loss/)]);
    expect(again.err).not.toMatch(/loss/); // no step was made again
  });

  it("goes on where it was cut off, and ends as it would have", async () => {
    const settings = loadSettings({ run: runs.cut.name, set: SFT, environment: {} });
    const experiment = await openExperiment(settings, { say: () => undefined });
    const steps: number[] = [];
    const killed = sftModel(experiment, "sft", {
      onProgress: (step) => {
        steps.push(step);
        if (step === 2) throw new Error("killed");
      },
    });
    await expect(killed).rejects.toThrow("killed");
    experiment.close();
    expect(steps).toEqual([1, 2]);
    expect(readdirSync(place("cut", "checkpoints"))).toHaveLength(1);
    const { code, err } = await capture(sft, line("cut", SFT));
    expect(code).toBe(0);
    expect(err).not.toMatch(/ 1\/4 /);
    const weights = (run: string): Buffer => readFileSync(place(run, "models", "sft", "model.safetensors"));
    expect(weights("cut").equals(weights("whole"))).toBe(true);
    expect(readdirSync(place("cut", "checkpoints"))).toEqual([]);
  });

  it("trains an adapter where lora.rank asks for one, and RL goes on with it", async () => {
    const lora = [...SFT, "lora.rank=2"];
    const { code, out } = await capture(sft, line("lora", lora, "--json"));
    expect([code, summary(out).steps]).toEqual([0, 4]);
    const files = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
    expect(readdirSync(place("lora", "adapters", "sft")).sort()).toEqual(files);
    const next = await capture(rl, line("lora", [...lora, ...RL], "--triplets", triplets, "--json"));
    expect([next.code, summary(next.out).steps]).toEqual([0, 2]);
    const weights = (method: string): Buffer =>
      readFileSync(place("lora", "adapters", method, "adapter_model.safetensors"));
    expect(weights("tapo").equals(weights("sft"))).toBe(false);
  });

  it("counts what it skips, and stops at it otherwise", async () => {
    const file = at("some.json");
    writeSharegpt(
      file,
      [0, 1, 2, 3].map((i): SftRecord => ({
        system: null,
        user: "What?",
        assistant: i === 2 ? `<think>${" word".repeat(300)}</think> <answer>fox</answer>` : "<answer>fox</answer>",
        image: i === 1 ? "animals/train/fox/9.png" : "animals/train/fox/0.png",
      })),
    );
    const some = [...SFT, `teacher=${file}`, "sft.maxLength=200"];
    const stopped = await capture(sft, line("some", some));
    expect([stopped.code, withoutBars(stopped.err)]).toEqual([
      1,
      expect.stringMatching(/some\.json, line \d+: .*fox\/9\.png/),
    ]);
    const { code, out, err } = await capture(sft, line("some", some, "--on-bad-row", "skip", "--json"));
    expect([code, summary(out).left_out]).toEqual([2, 2]);
    expect(err).toMatch(
      /record 1 \(animals\/train\/fox\/0\.png\) has \d+ tokens, more than sft\.maxLength=200; left out/,
    );
  });

  it("takes a file that is about other sets too as whole, but not one about unseen sub-categories or test images", async () => {
    const of = (name: string, answer: string, image: string): string => {
      writeSharegpt(at(name), [
        { system: null, user: "What?", assistant: `<answer>${answer}</answer>`, image },
        { system: null, user: "What?", assistant: "<answer>fox</answer>", image: "animals/train/fox/0.png" },
      ]);
      return `teacher=${at(name)}`;
    };
    const ask = (teacher: string) => {
      rmSync(runs.some.folder, { recursive: true, force: true }); // a run that is named is not replaced
      return capture(sft, line("some", [...SFT, "sft.epochs=1", teacher], "--json"));
    };
    const other = await ask(of("other.json", "sparrow", "birds/1.png"));
    expect([other.code, summary(other.out).left_out]).toEqual([0, 0]);
    expect(other.err).toMatch(/1 records are about no sub-category of animals; left out/);
    expect((await ask(of("unseen.json", "lynx", "animals/train/lynx/8.png"))).err).toMatch(
      /"lynx" is an unseen sub-category of animals/i,
    );
    expect((await ask(of("test.json", "fox", "animals/test/fox/9.png"))).err).toMatch(
      /is a dev or test image of animals/,
    );
  });

  it.each([
    [["--model", "none"], /model .*none: no config\.json there/],
    [["--teacher", "nowhere.json"], /nowhere\.json/],
    [["--memory", "0.001"], /SFT step needs .* more than there are/],
    [["--set", "sft.augmentation=0.5"], /sft\.augmentation=0/],
    [["--set", "sft.replayRows=2"], /set sft\.replayRows=0/],
    [["--set", "sft.nothing=1"], /unknown setting "sft\.nothing"/],
    [["--method", "tapo"], /--method is "tapo"; expected sft or sft-direct/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, err } = await capture(sft, line("refused", SFT, ...wrong));
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(place("refused", "models", "sft"))).toBe(false);
  });
});

describe("rl", () => {
  it("trains by TAPO on triplets of a file, from the model of Stage 1", async () => {
    const { code, out, err } = await capture(rl, line("whole", [...SFT, ...RL], "--triplets", triplets, "--json"));
    expect([code, withoutBars(err)]).toEqual([0, ""]);
    expect(summary(out)).toMatchObject({ result: place("whole", "models", "tapo"), steps: 2, left_out: 0 });
    expect(JSON.parse(readFileSync(place("whole", "logs", "tapo.jsonl"), "utf8").split("\n")[1])).toMatchObject({
      step: 2,
      groups: 2,
    });
    const weights = (method: string): Buffer => readFileSync(place("whole", "models", method, "model.safetensors"));
    expect(weights("tapo").equals(weights("sft"))).toBe(false);
  });

  it("trains on the run's own triplets from any checkpoint", async () => {
    const start = place("whole", "models", "sft");
    const { code, out } = await capture(
      rl,
      line("cut", [...SFT, ...RL], "--method", "cls-rl", "--start", start, "--json"),
    );
    expect([code, summary(out)]).toMatchObject([0, { result: place("cut", "models", "cls-rl"), steps: 2 }]);
  });

  it("reads a problem without its marker, and the answers to one problem as its sub-categories", async () => {
    const { rows } = await readStage2(triplets);
    const [row] = rows;
    const read = async (...given: [problem: string, answer: string][]) => {
      const file = at("problems.parquet");
      writeStage2(
        file,
        given.map(([problem, answer]) => ({ ...row, problem, answer })),
      );
      const set = [...COMMON, `triplets=${file}`];
      const experiment = await openExperiment(loadSettings({ run: runs.cut.name, set, environment: {} }));
      return promptsOfFile(experiment).finally(() => experiment.close());
    };
    const { prompts } = await read(
      ["<image>What fox?", "red"],
      ["<image>What fox?", "arctic"],
      ["<image> What dog?", "pug"],
    );
    expect(prompts[0]).toMatchObject({
      user: paperPrompts.stage2("What fox?"),
      groundTruth: "red",
      domainNames: ["red", "arctic"],
      anchor: "row 0, anchor",
    });
    expect(prompts[2].domainNames).toEqual(["pug"]);
    await expect(read(["What fox? <image>", "red"])).rejects.toThrow(/row 0: .*<image>/);
    await expect(read(["<image>What?", "lynx"])).rejects.toThrow(/row 0: "lynx" is an unseen sub-category/);
  });

  it.each([
    [["--method", "grpo"], /--method is "grpo"; expected cls-rl, tapo, tapo-no-intra or tapo-no-inter/],
    [["--triplets", "nowhere.parquet"], /nowhere\.parquet: can't be read as parquet/],
    [["--start", "nowhere"], /start=nowhere: expected sft, base, or a directory/],
    [["--set", "rl.maxNewTokens=100000", "--memory", "0.05"], /RL generation needs/],
  ])("exits 1 on %j", async (wrong, message) => {
    const { code, err } = await capture(rl, line("refused", [...SFT, ...RL], ...wrong));
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(place("refused", "models", "tapo"))).toBe(false);
  });
});

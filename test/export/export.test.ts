/** `export` on photographs: what each engine gets, and that it is what this run trains on. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { parquetReadObjects } from "hyparquet";
import { beforeAll, describe, expect, it } from "vitest";
import { openExperiment } from "../../lib/experiment/open";
import { rlPrompts } from "../../lib/experiment/rl";
import { loadSettings } from "../../lib/experiment/load-settings";
import { readSharegpt } from "../../lib/formats/sharegpt";
import { readStage2 } from "../../lib/formats/stage2";
import { decodeImage } from "../../lib/processor/image-decode";
import { readJsonl, readJsonObject } from "../../lib/util/files";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "../cli/capture";
import { temporaryRun } from "../cli/runs";
import { model, writeAnimals } from "./animals";

const exporting = command("export");
const folder = temporaryFolder();
const run = temporaryRun("export");
const at = (...parts: string[]): string => path.join(folder, ...parts);
const text = (...parts: string[]): string => readFileSync(at(...parts), "utf8");
let places: { images: string; records: string };
beforeAll(async () => void (places = await writeAnimals(folder)));

const SET = [
  ...["similarity=names", "shots=3", "precision=float32", "sft.batchSize=4", "sft.gradientAccumulationSteps=2"],
  ...["rl.minPixels=0", "rl.groupsPerStep=4", "rl.updatesPerStep=2", "rl.groupsPerGeneration=4", "rl.numGenerations=4"],
  ...["rl.positiveGenerations=2", "rl.gradientAccumulationSteps=2", "rl.openShare=0.5", "prompts=paper"],
];
const options = (...more: string[]): string[] => [
  ...[
    "--benchmark",
    places.images,
    "--model",
    model,
    "--teacher",
    places.records,
    "--run",
    run.name,
    "--scale",
    "paper",
  ],
  ...SET.flatMap((one) => ["--set", one]),
  ...more,
];
const settings = () =>
  loadSettings({
    scale: "paper",
    run: run.name,
    environment: {},
    set: [`benchmark=${places.images}`, `model=${model}`, `teacher=${places.records}`, ...SET],
  });
/** `key: value` lines of a YAML file, keys of all depths. */
const yaml = (...parts: string[]): Record<string, string> =>
  Object.fromEntries(
    [...text(...parts).matchAll(/^ *"?([a-z_0-9]+)"?: (.+)$/gm)].map(([, key, value]) => [key, value]),
  );

describe("export trl", () => {
  it("writes records, prompts, images, reward and hyper-parameters", async () => {
    const { code, out } = await capture(exporting, ["trl", at("trl"), ...options("--json")]);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ records: 6, prompts: 12, images: 6, left_out: 0 });
    type Row = { prompt: { role: string; content: { type: string; text: string | null }[] }[]; images: string[] };
    const rows = readJsonl<Row>(at("trl/sft.jsonl"));
    // one image stands inside its question: all messages are in parts, which Arrow wants of one form
    expect(rows[0].prompt.map(({ role }) => role)).toEqual(["system", "user"]);
    expect(rows[1].prompt[0].content.map((part) => part.text ?? part.type)).toEqual([
      "Look: ",
      "image",
      " what is it?",
    ]);
    for (const { images } of rows) expect(existsSync(at("trl", images[0]))).toBe(true);
    const sft = yaml("trl/sft.yaml");
    expect(sft).toMatchObject({
      learning_rate: "0.000005",
      per_device_train_batch_size: "2",
      gradient_accumulation_steps: "2",
      vision_learning_rate_scale: "0",
      schedule_warmup: "6",
      adam_beta2: "0.98",
    });
  });

  it("gives the prompts of this run's Stage 2, and updates of its size", async () => {
    const experiment = await openExperiment(settings(), { say: () => undefined });
    const own = await rlPrompts(experiment);
    experiment.close();
    type Row = { prompt: { content: string }[]; ground_truth: string; domain: string };
    const rows = readJsonl<Row>(at("trl/rl.jsonl"));
    expect(rows.map(({ prompt, ground_truth }) => [prompt[0].content, ground_truth])).toEqual(
      own.map(({ user, groundTruth }) => [user, groundTruth]),
    );
    const { names, strict } = readJsonObject(at("trl/reward.json")) as {
      names: Record<string, string[]>;
      strict: boolean;
    };
    expect([names[rows[0].domain], strict]).toEqual([own[0].domainNames, false]);
    const grpo = yaml("trl/grpo.yaml");
    // 2 groups of 4 an update, in 2 parts; 2 updates a step
    expect(grpo).toMatchObject({
      per_device_train_batch_size: "4",
      gradient_accumulation_steps: "2",
      steps_per_generation: "4",
      num_generations: "4",
      max_steps: String(2 * settings().rl.steps),
      delta: "3",
      epsilon_high: "0.28",
      model_name_or_path: "output/sft",
    });
  });

  it("spreads a mini-batch over GPUs, and refuses where it cannot", async () => {
    const many = await capture(exporting, ["trl", at("trl-2"), ...options("--gpus", "2")]);
    expect([many.code, many.out]).toEqual([0, expect.stringContaining("accelerate launch")]);
    expect(yaml("trl-2/sft.yaml")).toMatchObject({
      per_device_train_batch_size: "2",
      gradient_accumulation_steps: "1",
    });
    expect(yaml("trl-2/accelerate.yaml")).toMatchObject({ num_processes: "2", mixed_precision: '"no"' });
    expect(yaml("trl-2/accelerate.yaml")).toMatchObject({ zero_stage: "3", gradient_clipping: "auto" });
    const three = await capture(exporting, ["trl", at("trl-3"), ...options("--gpus", "3")]);
    expect([three.code, three.err]).toEqual([1, expect.stringMatching(/--gpus 3: 4 records .* 1, 2, 4 can/)]);
    expect(existsSync(at("trl-3"))).toBe(false);
  });

  it("leaves the base's weights whole on each GPU where an adapter is trained, which one process merges", async () => {
    const more = options("--gpus", "2", "--set", "lora.rank=4");
    expect((await capture(exporting, ["trl", at("trl-lora"), ...more])).code).toBe(0);
    const accelerate = yaml("trl-lora/accelerate.yaml");
    expect(accelerate).toMatchObject({ zero_stage: "2", gradient_clipping: "auto" });
    expect(Object.keys(accelerate).filter((key) => key.startsWith("zero3"))).toEqual([]);
    expect(text("trl-lora/README.md")).toContain("DeepSpeed ZeRO-2");
  });

  it("says what TRL cannot do, and does not do another thing instead", async () => {
    const { code, err } = await capture(exporting, ["trl", at("trl-4"), ...options("--method", "tapo")]);
    expect([code, err]).toEqual([1, expect.stringContaining("TRL's GRPO has no triplets")]);
    expect(text("trl/README.md")).toMatch(/GRPO has no triplet[\s\S]*No dynamic sampling[\s\S]*fine-r1 import/);
  });

  it("writes into no folder that holds something else, and takes the place of an earlier export", async () => {
    mkdirSync(at("mine"));
    writeFileSync(at("mine/thesis.txt"), "years of work");
    const { code, err } = await capture(exporting, ["trl", at("mine"), ...options()]);
    expect([code, err]).toEqual([1, expect.stringContaining("exists and is no export")]);
    expect(readdirSync(at("mine"))).toEqual(["thesis.txt"]);
    writeFileSync(at("trl/left.txt"), "");
    expect((await capture(exporting, ["trl", at("trl"), ...options()])).code).toBe(0);
    expect(existsSync(at("trl/left.txt"))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("export llamafactory", () => {
  it("writes sharegpt records and hyper-parameters, and says that Stage 2 is elsewhere", async () => {
    const args = ["llamafactory", at("lf"), ...options("--set", "sft.maxLength=200", "--on-bad-row", "skip")];
    const { code, err } = await capture(exporting, args);
    expect([code, err]).toEqual([2, expect.stringMatching(/more than sft.maxLength=200; left out/)]);
    const records = readSharegpt(at("lf/stage1.json"));
    expect(records).toHaveLength(5);
    for (const { image } of records) expect(existsSync(at("lf", image))).toBe(true);
    expect(readJsonObject(at("lf/dataset_info.json"))).toMatchObject({ fine_r1_stage1: { file_name: "stage1.json" } });
    expect(yaml("lf/sft.yaml")).toMatchObject({
      template: "qwen2_vl",
      freeze_vision_tower: "true",
      cutoff_len: "200",
      lr_scheduler_type: "cosine_with_min_lr",
      min_lr_rate: "0.02",
    });
    expect(text("lf/README.md")).toMatch(/Stage 1 only[\s\S]*line break behind/);
  });

  it("says where the checkpoint's template is not LLaMA-Factory's", async () => {
    const base = ["llamafactory", at("lf-base"), "--run", run.name, "--scale", "smoke", "--set", "prompts=tiny"];
    const own = ["--benchmark", places.images, "--teacher", places.records, "--set", "similarity=names"];
    const set = ["--set", "sft.replayRows=0", "--set", "shots=3"];
    expect((await capture(exporting, [...base, ...own, ...set])).code).toBe(0); // the shipped base: no system message
    expect(text("lf-base/README.md")).toContain("Prompts are not the same");
    expect(text("lf/README.md")).not.toContain("Prompts are not the same");
  });
});

describe("export swift", () => {
  it("writes records and hyper-parameters, and says that Stage 2 is elsewhere", async () => {
    const set = ["sft.visionLearningRateScale=0.1", "sft.maxPixels=20000"].flatMap((one) => ["--set", one]);
    const { code, out } = await capture(exporting, ["swift", at("swift"), ...options(...set)]);
    expect([code, out]).toEqual([0, expect.stringContaining("swift sft sft.yaml")]);
    const records = readSharegpt(at("swift/stage1.json"));
    expect(records).toHaveLength(6);
    for (const { image } of records) expect(existsSync(at("swift", image))).toBe(true);
    expect(yaml("swift/sft.yaml")).toMatchObject({
      tuner_type: "full",
      freeze_vit: "false",
      vit_lr: "5.0e-7",
      aligner_lr: "5.0e-7",
      learning_rate: "0.000005",
      per_device_train_batch_size: "2",
      gradient_accumulation_steps: "2",
      torch_dtype: "float32",
      min_lr_rate: "0.02",
    });
    expect(text("swift/sft.yaml")).toContain("  MAX_PIXELS: 20000\n");
    expect(text("swift/README.md")).toMatch(/Stage 1 only[\s\S]*line break behind/);
  });

  it("spreads a mini-batch over GPUs, and has no Stage 2", async () => {
    const more = options("--gpus", "2", "--set", "lora.rank=4");
    const many = await capture(exporting, ["swift", at("swift-2"), ...more]);
    expect([many.code, many.out]).toEqual([0, expect.stringContaining("NPROC_PER_NODE=2 swift sft sft.yaml")]);
    expect(yaml("swift-2/sft.yaml")).toMatchObject({
      tuner_type: "lora",
      lora_rank: "4",
      freeze_vit: "true",
      deepspeed: "zero3",
    });
    const method = await capture(exporting, ["swift", at("swift-3"), ...options("--method", "tapo")]);
    expect([method.code, method.err]).toEqual([1, expect.stringContaining("Stage 1 alone is exported")]);
  });

  it("says that a checkpoint with other image tokens than the published ones is not trained as it is", async () => {
    const base = ["swift", at("swift-base"), "--run", run.name, "--scale", "smoke", "--set", "prompts=paper"];
    const own = ["--benchmark", places.images, "--teacher", places.records, "--set", "similarity=names"];
    const set = ["--set", "sft.replayRows=0", "--set", "shots=3"];
    expect((await capture(exporting, [...base, ...own, ...set])).code).toBe(0); // the shipped base
    expect(text("swift-base/README.md")).toContain("28 x 28 pixels are in ms-swift's code; here a token has 16 x 16");
  });
});

describe("export easyr1", () => {
  it("writes triplets that this project reads back as its own prompts", async () => {
    const { code } = await capture(exporting, ["easyr1", at("easyr1"), ...options()]);
    expect(code).toBe(0);
    const { rows } = await readStage2(at("easyr1/train.parquet"), "stop", { decode: true });
    const experiment = await openExperiment(settings(), { say: () => undefined });
    const own = await rlPrompts(experiment);
    experiment.close();
    const template = text("easyr1/prompt.jinja");
    const users = rows.map(({ problem }) => template.replace("{{ content | trim }}", problem.replace("<image>", "")));
    expect(users).toEqual(own.map(({ user }) => user));
    expect(rows.map(({ answer }) => answer)).toEqual(own.map(({ groundTruth }) => groundTruth));
    for (const row of rows) {
      const sizes = await Promise.all([row.anchor, row.positive, row.negative].map(({ bytes }) => decodeImage(bytes)));
      expect(new Set(sizes.map(({ width, height }) => `${width} x ${height}`)).size).toBe(1);
    }
    expect(text("easyr1/train.sh")).toContain("verl.trainer.main");
  });
});

describe("export dataset", () => {
  it("writes questions and rationales with their images, and a card", async () => {
    const { code, out } = await capture(exporting, ["dataset", at("dataset"), ...options("--json")]);
    expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ questions: 6, rationales: 6 })]);
    const rows = async (name: string): Promise<Record<string, unknown>[]> => {
      const bytes = readFileSync(at("dataset", name));
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      return (await parquetReadObjects({ file, utf8: false })) as Record<string, unknown>[];
    };
    const questions = await rows("questions/test.parquet");
    expect(questions.map(({ split, setting }) => `${setting as string} ${split as string}`).sort()).toEqual([
      "closed seen",
      "closed unseen",
      "closed unseen",
      "open seen",
      "open unseen",
      "open unseen",
    ]);
    const closed = questions.find(({ setting }) => setting === "closed")!;
    expect(closed.options).toContain(closed.ground_truth);
    const { width, height } = await decodeImage((closed.image as { bytes: Uint8Array }).bytes);
    expect([width, height]).toEqual([40, 52]);
    const rationales = await rows("rationales/train.parquet");
    expect(rationales[0]).toMatchObject({ system: "Be brief.", user: "What animal is this?", sub_category: "fox" });
    const card = text("dataset/README.md");
    expect(card).toMatch(
      /^---\nlicense: other\n[\s\S]*path: questions\/test.parquet[\s\S]*path: rationales\/train.parquet/,
    );
    expect(card).toContain("publishers'");
  });
});

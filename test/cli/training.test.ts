/** `sft` and `rl`: a checkpoint directory and images of several sizes, from files to a model that `generate` reads. */
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { readSharegpt, writeSharegpt, type SftRecord } from "../../lib/formats/sharegpt";
import { stage2Row, writeStage2, type EncodedImage } from "../../lib/formats/stage2";
import { tf } from "../../lib/engine/tensorflow";
import { promptsOf } from "../../lib/experiment/rl-job";
import { sftOnRecords } from "../../lib/experiment/sft-job";
import { jobOf } from "../../cli/training-job";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";

const generate = command("generate");
const rl = command("rl");
const sft = command("sft");

const folder = temporaryFolder();
const model = path.join(__dirname, "../fixtures/parity/fixture-tied/model");
const images = path.join(folder, "images");
const at = (...parts: string[]): string => path.join(folder, ...parts);
const [records, triplets] = [at("records.json"), at("triplets.parquet")];
const override = (...assignments: string[]): string[] => assignments.flatMap((one) => ["--set", one]);
const SFT = [
  "--model",
  model,
  "--data",
  records,
  "--images",
  images,
  ...override(
    "precision=float32",
    "sft.epochs=2",
    "sft.batchSize=4",
    "sft.gradientAccumulationSteps=2",
    "sft.learningRate=1e-3",
    "sft.warmupSteps=1",
  ),
];
const RL = [
  "--model",
  model,
  "--data",
  triplets,
  ...override(
    "precision=float32",
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
  ),
];
type Summary = { result: string; steps: number; skipped: number; records: number };
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
    const file = path.join(images, name, `${i}.png`);
    mkdirSync(path.dirname(file), { recursive: true });
    await sharp({ create: { width, height, channels: 3, background: { r: 40 * i, g: 200 - 30 * i, b: 90 } } })
      .png()
      .toFile(file);
    made.push({
      system: null,
      user: "What animal is this?",
      assistant: `<think> It is ${name}. </think> <answer>${name}</answer>`,
      image: `${name}/${i}.png`,
    });
    encoded.push({ bytes: new Uint8Array(readFileSync(file)), path: `${name}/${i}.png` });
  }
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
  it("trains on images of several sizes, and leaves a model with log, manifest, card and event file", async () => {
    const before = tf.memory().numTensors;
    const { code, out, err } = await capture(sft, [...SFT, "--out", at("sft"), "--save-steps", "1", "--json"]);
    expect([code, err.replace(/.*\d GiB planned.*\n|.*█.*\n|.*░.*\n/g, "")]).toEqual([0, ""]);
    expect(summary(out)).toMatchObject({ result: at("sft", "model"), records: 6, skipped: 0, steps: 4 });
    expect(readdirSync(at("sft")).sort()).toEqual(["log.jsonl", "manifest.json", "model", "tensorboard"]);
    expect(readFileSync(at("sft", "model", "README.md"), "utf8")).toMatch(/4 steps, on 6 images/);
    const losses = readFileSync(at("sft", "log.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as { loss: number }).loss);
    expect(losses[3]).toBeLessThan(losses[0]);
    expect(tf.memory().numTensors).toBe(before);
    const answer = await capture(generate, [
      "--model",
      at("sft", "model"),
      "--image",
      path.join(images, "fox/0.png"),
      "--prompt",
      "What animal is this?",
      "--max-new-tokens",
      "2",
      "--json",
    ]);
    expect(answer.code).toBe(0);
    expect((await capture(sft, [...SFT, "--out", at("sft")])).err).toMatch(/sft.model: is there already; remove it/);
  });

  it("goes on where it was cut off, and refuses the checkpoint of another run", async () => {
    const whole = readFileSync(at("sft", "model", "model.safetensors"));
    const assignments = SFT.filter((_, i) => SFT[i - 1] === "--set");
    const { job } = jobOf(
      {
        model,
        data: [records],
        scale: "paper",
        set: assignments,
        saveSteps: 1,
        dtype: "float32",
        onBadRow: "stop",
        json: false,
      },
      at("cut"),
    );
    const read = readSharegpt(records);
    const sources = new Map(read.map(({ image }) => [image, path.join(images, image)]));
    const killed = sftOnRecords({
      ...job,
      records: read,
      images: sources,
      maxLength: 4096,
      onStep: (step) => {
        if (step === 2) throw new Error("killed");
      },
    });
    await expect(killed).rejects.toThrow("killed");
    expect(existsSync(at("cut", "checkpoint"))).toBe(true);
    expect((await capture(sft, [...SFT, ...override("seed=1"), "--out", at("cut"), "--save-steps", "1"])).err).toMatch(
      /checkpoint: holds a run of other settings, data, model or code/,
    );
    const { code } = await capture(sft, [...SFT, "--out", at("cut"), "--save-steps", "1"]);
    expect(code).toBe(0);
    expect(readFileSync(at("cut", "model", "model.safetensors")).equals(whole)).toBe(true);
    expect(existsSync(at("cut", "checkpoint"))).toBe(false);
  });

  it("trains an adapter where lora.rank asks for one, and RL goes on with it", async () => {
    const { code, out } = await capture(sft, [...SFT, ...override("lora.rank=2"), "--out", at("lora"), "--json"]);
    expect([code, summary(out).result]).toEqual([0, at("lora", "adapter")]);
    expect(readdirSync(at("lora", "adapter")).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
    const next = await capture(rl, [...RL, "--adapter", at("lora", "adapter"), "--out", at("lora-rl"), "--json"]);
    expect([next.code, summary(next.out).result]).toEqual([0, at("lora-rl", "adapter")]);
    expect(
      readFileSync(at("lora-rl", "adapter", "adapter_model.safetensors")).equals(
        readFileSync(at("lora", "adapter", "adapter_model.safetensors")),
      ),
    ).toBe(false);
  });

  it("counts what it skips, and stops at it otherwise", async () => {
    const file = at("some.json");
    writeSharegpt(
      file,
      [...Array<null>(3)].map((_, i): SftRecord => ({
        system: null,
        user: "What?",
        assistant: i === 2 ? " word".repeat(300) : " fox",
        image: i === 1 ? "fox/9.png" : "fox/0.png",
      })),
    );
    const args = [...SFT.map((one) => (one === records ? file : one)), "--max-length", "200", "--out", at("some")];
    const stopped = await capture(sft, args);
    expect([stopped.code, stopped.err]).toEqual([
      1,
      expect.stringMatching(/some\.json, line \d+: record 1: .*fox.9\.png is not in .*; --images DIR/),
    ]);
    const { code, out, err } = await capture(sft, [...args, "--on-bad-row", "skip", "--json"]);
    expect([code, summary(out).skipped]).toEqual([2, 2]);
    expect(err).toMatch(/record 1 \(fox\/0\.png\): skipped: \d+ tokens, more than --max-length 200/);
  });

  it.each([
    [[], /--model is missing/],
    [["--model", model], /--data is missing/],
    [["--model", model, "--data", "nowhere.json"], /nowhere\.json/],
    [[...SFT, "--memory", "0.001", "--out", "x"], /SFT step needs .* more than there are/],
    [[...SFT, "--set", "sft.augmentation=0.5", "--out", "x"], /square drawings; set sft\.augmentation=0/],
    [[...SFT, "--set", "sft.nothing=1"], /unknown setting "sft\.nothing"/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(
      sft,
      args.map((one) => (one === "x" ? at("refused") : one)),
    );
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
    expect(existsSync(at("refused"))).toBe(false);
  });
});

describe("rl", () => {
  it("trains by TAPO on triplets", async () => {
    const { code, out } = await capture(rl, [...RL, "--out", at("tapo"), "--json"]);
    expect(code).toBe(0);
    expect(summary(out)).toMatchObject({ result: at("tapo", "model"), rows: 4, steps: 2 });
    expect(JSON.parse(readFileSync(at("tapo", "log.jsonl"), "utf8").split("\n")[1])).toMatchObject({
      step: 2,
      groups: 2,
    });
    expect(readFileSync(at("tapo", "model", "README.md"), "utf8")).toMatch(
      /2 steps, 2 rollouts from the anchor and 2 from the positive in a group, on 4 images of 2 sub-categories/,
    );
  });

  it("reads a problem without its marker, and the answers to one problem as its sub-categories", () => {
    const image = { bytes: new Uint8Array(1), path: null };
    const row = (problem: string, answer: string) => ({
      problem,
      answer,
      anchor: image,
      positive: image,
      negative: image,
    });
    const [first, , third] = promptsOf(
      [row("<image>What fox?", "red"), row("<image>What fox?", "arctic"), row("<image> What dog?", "pug")],
      { stage2: (text) => `${text} Think.` },
    );
    expect(first).toMatchObject({
      user: "What fox? Think.",
      groundTruth: "red",
      domainNames: ["red", "arctic"],
      anchor: "row 0, anchor",
    });
    expect(third.domainNames).toEqual(["pug"]);
    expect(() => promptsOf([row("What fox? <image>", "red")], { stage2: (text) => text })).toThrow(
      "row 0: the problem does not begin with its one <image>",
    );
  });

  it.each([
    [["--method", "grpo"], /--method is "grpo"; expected cls-rl, tapo, tapo-no-intra or tapo-no-inter/],
    [["--data", "nowhere.parquet"], /nowhere\.parquet: can't be read as parquet/],
    [["--set", "rl.maxNewTokens=100000", "--memory", "0.05"], /RL generation needs/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(rl, [...RL, "--out", at("refused-rl"), ...args]);
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  });
});

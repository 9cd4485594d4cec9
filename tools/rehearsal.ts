/**
 * `npm run rehearsal`: the published size on this machine. A random checkpoint of Qwen2.5-VL-3B's shapes (bf16) and
 * photograph-sized pictures go through every stage by the code that notebooks 00-06 call: records, similarity, SFT with
 * an adapter, one RL step of one group with a few tokens, evaluation of a few questions. Each stage is a process of its
 * own; its seconds and peak memory go to docs/rehearsal.json. What the model says is noise: nothing here is a result.
 * `--keep` leaves the checkpoint (7.5 GB) in data/cache/rehearsal; it is made again otherwise.
 */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { cpus, totalmem } from "node:os";
import * as path from "node:path";
import { performance } from "node:perf_hooks";
import sharp from "sharp";
import { snakeCase } from "../cli/output";
import { writeSharegpt } from "../lib/formats/sharegpt";
import { publishedPreprocessorJson } from "../lib/model/published";
import { parameterCount } from "../lib/model/shapes";
import { readJsonObject, writeText } from "../lib/util/files";
import { random } from "../lib/util/random";
import { root } from "./environment";
import { exampleResponse } from "./example-records";
import { CONFIG_3B, writeBigCheckpoint } from "./parity/big-checkpoint";

const FOLDER = path.join(root, "data/cache/rehearsal");
const MODEL = path.join(FOLDER, "model");
const PICTURES = path.join(FOLDER, "pictures");
const RECORDS = path.join(FOLDER, "records.json");
const TOKENIZER = path.join(root, "test/fixtures/parity/qwen2.5-tokenizer/model");
/** Where Qwen2.5-VL's own chat template is: Qwen2.5's, which comes with the tokenizer, has no images. */
const TEMPLATE = path.join(root, "test/fixtures/parity/fixture-tied/model/tokenizer_config.json");
/** The most that a stage may hold, GiB. */
const LIMIT_GIB = 20;

const NAMES = { seen: ["ruby kite", "moss lantern"], unseen: ["slate harbour", "amber quarry"] };

/** Settings of the run: the paper's scale, as small as a stage can be. */
const SETTINGS = [
  `benchmark=${PICTURES}`,
  `model=${MODEL}`,
  `teacher=${RECORDS}`,
  "shots=2",
  "run=rehearsal",
  "lora.rank=8",
  "sft.epochs=1",
  "sft.batchSize=1",
  "sft.gradientAccumulationSteps=1",
  "sft.maxPixels=100352",
  "rl.steps=1",
  "rl.groupsPerStep=1",
  "rl.updatesPerStep=1",
  "rl.gradientAccumulationSteps=1",
  "rl.groupsPerGeneration=1",
  "rl.promptsPerCall=1",
  "rl.numGenerations=2",
  "rl.positiveGenerations=1",
  "rl.maxNewTokens=4",
  "rl.maxGenerationBatches=1",
  "rl.whenNoGroupSurvives=keep-all",
  "rl.minPixels=0",
  "rl.maxPixels=100352",
  "eval.maxNewTokens=4",
  "eval.batchSize=1",
  "eval.limit=1",
  "eval.maxPixels=100352",
];

/** A picture of a photograph's size: soft patches around one colour, so that JPEG has something to do. */
async function writePicture(file: string, seed: number): Promise<void> {
  const [width, height] = [640, 480];
  const draw = random(seed);
  const grid = Uint8Array.from({ length: 12 * 9 * 3 }, () => draw.integer(256));
  fs.mkdirSync(path.dirname(file), { recursive: true });
  await sharp(grid, { raw: { width: 12, height: 9, channels: 3 } })
    .resize(width, height, { kernel: "cubic", fit: "fill" })
    .jpeg({ quality: 90 })
    .toFile(file);
}

/** Pictures in a folder per class, the split beside them, and one record as a teacher would write it. */
async function writeData(): Promise<void> {
  const classes = [...NAMES.seen, ...NAMES.unseen];
  for (const [c, name] of classes.entries()) {
    for (const [portion, count] of [
      ["train", 2],
      ["test", 1],
    ] as const)
      for (let i = 0; i < count; i++)
        await writePicture(path.join(PICTURES, portion, name.replace(" ", "_"), `${i}.jpg`), 100 * c + 10 * count + i);
  }
  writeText(path.join(PICTURES, "seen.txt"), `${NAMES.seen.join("\n")}\n`);
  const [name] = NAMES.seen;
  const assistant = exampleResponse(name, NAMES.seen);
  const image = path.relative(FOLDER, path.join(PICTURES, "train", name.replace(" ", "_"), "0.jpg"));
  writeSharegpt(RECORDS, [{ system: null, user: "What is this?", assistant, image }]);
}

/**
 * The checkpoint: random weights, the published tokenizer's files (with part of its vocabulary), template and limits.
 */
function writeCheckpoint(): void {
  if (!fs.existsSync(path.join(MODEL, "model.safetensors.index.json"))) writeBigCheckpoint(MODEL, CONFIG_3B, 1);
  for (const file of fs.readdirSync(TOKENIZER)) fs.copyFileSync(path.join(TOKENIZER, file), path.join(MODEL, file));
  const { chat_template } = readJsonObject(TEMPLATE);
  writeText(path.join(MODEL, "chat_template.json"), `${JSON.stringify({ chat_template })}\n`);
  writeText(path.join(MODEL, "preprocessor_config.json"), `${JSON.stringify(publishedPreprocessorJson)}\n`);
}

/** What a stage's process reports. */
interface StageReport {
  stage: string;
  seconds: number;
  peakGib: number;
  /** What the memory plan said before the model was loaded; null where a stage has none. */
  plannedGib: number | null;
  result: Record<string, unknown>;
}

const STAGES = ["records", "similarity", "sft", "tapo", "evaluate"] as const;

/** Runs a stage in a process of its own. @throws Error where it fails */
function run(stage: (typeof STAGES)[number]): StageReport {
  const begun = performance.now();
  const args = ["--import", "tsx", path.join(root, "tools/rehearsal-stage.ts"), stage, ...SETTINGS];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`rehearsal: ${stage} ended with exit code ${status}\n${stdout}`);
  const { peakGib, plannedGib, result } = JSON.parse(stdout.trim().split("\n").pop()!) as Omit<
    StageReport,
    "stage" | "seconds"
  >;
  const report = { stage, seconds: Math.round((performance.now() - begun) / 100) / 10, peakGib, plannedGib, result };
  console.log(`${stage}: ${report.seconds} s, peak ${peakGib} GiB, ${JSON.stringify(result)}`);
  if (peakGib > LIMIT_GIB) throw new Error(`rehearsal: ${stage} held ${peakGib} GiB, more than ${LIMIT_GIB}`);
  return report;
}

async function main(): Promise<void> {
  const keep = process.argv.includes("--keep");
  const begun = performance.now();
  fs.rmSync(path.join(root, "data/runs/rehearsal"), { recursive: true, force: true });
  await writeData();
  writeCheckpoint();
  const parameters = parameterCount(CONFIG_3B);
  console.log(
    `checkpoint of ${(parameters / 1e9).toFixed(2)} billion parameters: ${Math.round((performance.now() - begun) / 1000)} s`,
  );
  const stages = STAGES.map(run);
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: { processor: cpus()[0].model.trim(), cores: cpus().length, memoryGib: Math.round(totalmem() / 2 ** 30) },
    model: { shape: "Qwen2.5-VL-3B, random bf16 weights", parameters },
    settings: SETTINGS.map((one) => one.replace(FOLDER, "data/cache/rehearsal")),
    stages,
    made: "npm run rehearsal",
  };
  writeText(path.join(root, "docs/rehearsal.json"), `${JSON.stringify(snakeCase(report), null, 2)}\n`);
  if (!keep) fs.rmSync(FOLDER, { recursive: true });
}

main().catch((error: unknown) => {
  console.error((error as Error).message);
  process.exitCode = 1;
});

/**
 * A checkpoint of the size of Qwen2.5-VL-3B against Hugging Face transformers: loading, first-token logits, greedy
 * tokens, peak memory and seconds a token. `npm run parity-big [-- --keep]`; FINE_R1_PARITY_PYTHON is a Python with
 * torch and transformers. Both sides run one after the other, each in a process of its own, and compute in float32 from
 * the same bf16 weights; here the weights stay in bf16. Writes docs/parity-big.json; the checkpoint (7.5 GB) is deleted
 * afterwards.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { cpus } from "node:os";
import * as path from "node:path";
import { performance } from "node:perf_hooks";
import { compile } from "../../lib/engine/compile";
import { random } from "../../lib/util/random";
import { tf, type Params, type Tensor } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { loadModel } from "../../lib/model/checkpoint";
import { hiddenStates, type ModelInputs } from "../../lib/model/forward";
import { lmHead } from "../../lib/model/decoder";
import { encodeImages } from "../../lib/model/vision";
import type { VisionInputs } from "../../lib/model/vision-plan";
import { writeSafetensors, readHeader, readValues } from "../../lib/model/safetensors";
import { parameterCount } from "../../lib/model/shapes";
import { collate, modelInputs } from "../../lib/processor/collate";
import { createGenerator } from "../../lib/rollout/generate";
import { CONFIG_3B, writeBigCheckpoint } from "./big-checkpoint";

const ROOT = path.join(__dirname, "../..");
const TOKENS = 8;
const GRID: [number, number, number] = [1, 16, 20];
/** Allowed difference of a logit: this times max(1, |logit|). */
const TOLERANCE = 1e-3;

/** What each side reports. */
interface SideReport {
  versions: Record<string, string>;
  loadSeconds: number;
  firstTokenSeconds: number;
  secondsPerToken: number;
  peakGib: number;
  tokenIds: number[];
}

/** A prompt with one image between text, its ids drawn from the plain vocabulary. */
function promptIds(): number[] {
  const draw = random(5);
  const words = (count: number): number[] => Array.from({ length: count }, () => draw.integer(150000));
  const image = new Array<number>((GRID[1] * GRID[2]) / 4).fill(CONFIG_3B.imageTokenId);
  return [
    151644,
    872,
    198,
    ...words(4),
    CONFIG_3B.visionStartTokenId,
    ...image,
    CONFIG_3B.visionEndTokenId,
    ...words(20),
    151645,
    198,
    151644,
    77091,
    198,
  ];
}

const seconds = (since: number): number => (performance.now() - since) / 1000;

/** Our side. Writes `ours.json` and the first token's logits as `ours.safetensors`. */
function ours(dir: string): void {
  let start = performance.now();
  const { config, params } = loadModel(path.join(dir, "model"), { dtype: "bfloat16" });
  const loadSeconds = seconds(start);
  const loadedGib = process.resourceUsage().maxRSS / 2 ** 20;
  const inputIds = JSON.parse(fs.readFileSync(path.join(dir, "prompt.json"), "utf8")) as number[];
  const header = readHeader(path.join(dir, "pixels.safetensors"));
  const host = collate(
    config,
    [{ inputIds, images: [{ grid: GRID, pixelValues: readValues(header, "pixel_values") as Float32Array }] as never }],
    { padTokenId: 151643 },
  );
  const inputs = modelInputs(config, host);
  const first = compile(
    (p: Params, x: ModelInputs) =>
      lmHead(
        p,
        config,
        tf.slice(hiddenStates(p, config, x), [0, host.length - 1, 0], [1, 1, config.text.hiddenSize]).reshape([1, -1]),
      ),
    { name: "first" },
  );
  const logits = first(params, inputs);
  writeSafetensors(path.join(dir, "ours.safetensors"), { logits: logits });
  const encode = compile(
    (tower: Params, pixels: Tensor, vision: VisionInputs) => encodeImages(tower, config, pixels, vision),
    { name: "images" },
  );
  const tower = Object.fromEntries(Object.entries(params).filter(([name]) => name.startsWith("visual.")));
  const generator = createGenerator(config);
  const row = {
    inputIds,
    positionIds: [0, 1, 2].map((axis) =>
      Array.from(host.positionIds.subarray(axis * host.length, (axis + 1) * host.length)),
    ),
    featureIndex: Array.from(host.featureIndex),
  };
  const times: number[] = [];
  const generate = (): number[] => {
    const features = encode(tower, inputs.pixelValues!, inputs.vision!);
    times.length = 0;
    start = performance.now();
    const [rollout] = generator.generate(
      params,
      { prompts: [row], features },
      {
        numGenerations: 1,
        maxNewTokens: TOKENS,
        temperature: 1,
        topP: 1,
        greedy: true,
        eosTokenIds: [],
        bannedTokenIds: [],
        seed: 0,
        logProbsOf: "model",
        onToken: () => times.push(seconds(start)),
      },
    );
    features.dispose();
    return rollout.tokenIds;
  };
  generate(); // traces
  start = performance.now();
  const again = encode(tower, inputs.pixelValues!, inputs.vision!);
  again.dataSync();
  const imageSeconds = seconds(start);
  again.dispose();
  const tokenIds = generate();
  const report: SideReport & { loadedGib: number } = {
    versions: { node: process.version, tensorflow: JSON.parse(JSON.stringify(tf.version)).tfjs as string },
    loadSeconds,
    firstTokenSeconds: imageSeconds + times[0],
    secondsPerToken: (times[TOKENS - 1] - times[0]) / (TOKENS - 1),
    loadedGib,
    peakGib: process.resourceUsage().maxRSS / 2 ** 20,
    tokenIds,
  };
  fs.writeFileSync(path.join(dir, "ours.json"), JSON.stringify(report));
  disposeTree(params, logits, inputs);
}

/** Both sides compared, as the report that is committed. */
function compare(dir: string): { failed: string[]; report: unknown } {
  const read = (side: string): SideReport =>
    JSON.parse(fs.readFileSync(path.join(dir, `${side}.json`), "utf8")) as SideReport;
  const [own, theirs] = [read("ours"), read("theirs")];
  const values = (side: string): Float32Array =>
    readValues(readHeader(path.join(dir, `${side}.safetensors`)), "logits") as Float32Array;
  const [a, b] = [values("ours"), values("theirs")];
  let worst = 0;
  a.forEach((x, i) => (worst = Math.max(worst, Math.abs(x - b[i]) / Math.max(1, Math.abs(b[i])))));
  const [top, second] = Array.from(b).sort((x, y) => y - x);
  const failed = [
    ...(a.length === b.length && worst <= TOLERANCE
      ? []
      : [`logits differ by ${worst} x max(1, |logit|), more than ${TOLERANCE}`]),
    ...(own.tokenIds.join() === theirs.tokenIds.join()
      ? []
      : [`greedy tokens differ: ${own.tokenIds.join(" ")} against ${theirs.tokenIds.join(" ")}`]),
    ...(own.peakGib * 2 ** 30 <= 20e9 ? [] : [`peak memory ${own.peakGib.toFixed(2)} GiB, more than 20 GB`]),
  ];
  const report = {
    date: new Date().toISOString().slice(0, 10),
    machine: { processor: cpus()[0].model, cores: cpus().length },
    model: { shape: "Qwen2.5-VL-3B, random bf16 weights", parameters: parameterCount(CONFIG_3B) },
    prompt: { tokens: promptIds().length, imageGridThw: GRID },
    computedIn: "float32 on both sides; weights held in bfloat16 here, in float32 in transformers",
    firstTokenLogits: {
      largestDifference: worst,
      of: "|difference| / max(1, |logit|)",
      tolerance: TOLERANCE,
      referenceTop2Margin: top - second,
    },
    greedyTokensEqual: own.tokenIds.join() === theirs.tokenIds.join(),
    ours: own,
    transformers: theirs,
    failed,
  };
  return { failed, report };
}

function main(): void {
  const [mode, given] = process.argv.slice(2);
  if (mode === "ours") return ours(given);
  const dir = path.join(ROOT, ".bench", "big");
  const keep = process.argv.includes("--keep");
  try {
    if (!fs.existsSync(path.join(dir, "model", "config.json"))) {
      console.log(`writing ${path.join(dir, "model")}`);
      console.log(`${writeBigCheckpoint(path.join(dir, "model"), CONFIG_3B, 7)} parameters`);
    }
    fs.writeFileSync(path.join(dir, "prompt.json"), JSON.stringify(promptIds()));
    const draw = random(6);
    const pixels = tf.tensor2d(
      Float32Array.from({ length: GRID[1] * GRID[2] * 1176 }, () => draw.normal()),
      [GRID[1] * GRID[2], 1176],
    );
    writeSafetensors(path.join(dir, "pixels.safetensors"), { pixel_values: pixels });
    pixels.dispose();
    console.log("ours");
    execFileSync(process.execPath, ["--import", "tsx", __filename, "ours", dir], {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
    });
    console.log("transformers");
    execFileSync(
      process.env.FINE_R1_PARITY_PYTHON ?? "python3",
      [path.join(__dirname, "big.py"), dir, String(TOKENS), JSON.stringify(GRID)],
      { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, HF_HUB_OFFLINE: "1" } },
    );
    const { failed, report } = compare(dir);
    fs.writeFileSync(path.join(ROOT, "docs", "parity-big.json"), `${JSON.stringify(report, null, 2)}\n`);
    console.log(JSON.stringify(report, null, 2));
    if (failed.length > 0) process.exitCode = 1;
  } finally {
    if (!keep) fs.rmSync(dir, { recursive: true, force: true });
  }
}

main();

/** `rl` and `sft` that stop at a gradient that is not finite, and `replay` of what they leave. */
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { writeSharegpt } from "../../lib/formats/sharegpt";
import { tf } from "../../lib/engine/tensorflow";
import { readJsonObject, writeText } from "../../lib/util/files";
import { miniatureSource, writePictures } from "../../tools/torture/miniature";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "./capture";
import { temporaryRun } from "./runs";

const folder = temporaryFolder();
const records = path.join(folder, "records.json");
const rl = temporaryRun("replay-rl");
const sft = temporaryRun("replay-sft");
const replay = command("replay");

const line = (run: string, ...more: string[]): string[] => [
  ...["--scale", "smoke", "--run", run],
  ...[...(miniatureSource(run).set ?? []), ...more].flatMap((one) => ["--set", one]),
];
/** The file that a stopped run left. */
function stopped(runFolder: string): string {
  const checkpoints = path.join(runFolder, "checkpoints");
  const [only, ...others] = readdirSync(checkpoints);
  expect(others).toEqual([]);
  return path.join(checkpoints, only, "stopped-batch.json");
}

beforeAll(async () => {
  await writePictures();
  const record = (name: string, i: number) => ({
    system: null,
    user: "What animal is this?",
    assistant: `<think> It is ${name}. </think> <answer>${name}</answer>`,
    image: `animals-4/train/${name}/train-${i}.png`,
  });
  writeSharegpt(
    records,
    [0, 1, 2].flatMap((i) => [record("fox", i), record("wolf", i)]),
  );
});

describe("replay", () => {
  it("of a stopped RL training says that its rows are sound and its loss is not", async () => {
    // so large a coefficient is infinite in float32
    const error = await capture(command("rl"), line(rl.name, "rl.entropyCoefficient=1e300")).catch(String);
    const said = typeof error === "string" ? error : error.err;
    expect(said).toMatch(/tapo: no gradient norm was finite in the last 3 steps, up to step 3.*fine-r1 replay/);
    const before = tf.memory().numTensors;
    const { code, out } = await capture(replay, [stopped(rl.folder)]);
    expect(code).toBe(2);
    expect(out).toMatch(/^tapo, step 3, learning rate [\d.e-]+\nall parameters are finite; the largest value is /);
    expect(out).toMatch(/update 1, group 1 \(.*\): .*gradNorm \S+ \(not finite\)/);
    expect(out).toMatch(
      /\n0 of \d+ rows are not finite; all of them:\n {2}update 1, group 1 .*, rollout 1 from the anchor: advantage /,
    );
    expect(tf.memory().numTensors).toBe(before);
    const { out: json } = await capture(replay, [stopped(rl.folder), "--json"]);
    expect(JSON.parse(json)).toMatchObject({ method: "tapo", step: 3, bad_parameters: [] });
  }, 300_000);

  it("of a stopped SFT training says which rows are not finite under its parameters", async () => {
    const more = ["sft.learningRate=1e30", "sft.epochs=4", "sft.batchSize=4", "sft.warmupSteps=0", "sft.saveSteps=1"];
    const asked = line(sft.name, `teacher=${records}`, ...more);
    const error = await capture(command("sft"), asked).catch(String);
    const said = typeof error === "string" ? error : error.err;
    expect(said).toMatch(/SFT: no gradient norm was finite in the last 3 steps.*fine-r1 replay/);
    const { code, out } = await capture(replay, [stopped(sft.folder)]);
    expect(code).toBe(2);
    expect(out).toMatch(
      /^sft, step \d, learning rate \S+e\+\d\d\nall parameters are finite; the largest value is \d\.\d+e\+\d\d\n/,
    );
    expect(out).toMatch(/\n4 of 4 rows are not finite:\n {2}row 1 \(animals-4\/.*\.png\): logProb NaN \(not finite\)/);
  }, 300_000);

  it("refuses a file that is none, or whose settings were altered, and names it", async () => {
    const file = path.join(folder, "altered.json");
    const refused = async (change: Record<string, unknown>): Promise<string> => {
      writeText(file, JSON.stringify({ ...readJsonObject(stopped(rl.folder)), ...change }));
      const result = await capture(replay, [file]).catch(String);
      return typeof result === "string" ? result : result.err;
    };
    expect(await refused({ stage: "neither" })).toMatch(/altered\.json: no batch of a training that stopped/);
    expect(await refused({ facts: { method: "constructor" } })).toMatch(
      /altered\.json: facts\.method is "constructor"/,
    );
    expect(await refused({ facts: { method: "tapo", settings: { scale: "smoke", seed: "x" } } })).toMatch(
      /altered\.json: facts\.settings: .*seed/,
    );
    expect(await refused({})).toMatch(/no checkpoint is beside it/);
  }, 300_000);
});

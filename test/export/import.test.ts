/** `import`: models, adapters and logs as other trainers leave them. */
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { disposeTree } from "../../lib/engine/tree";
import { rlCurves, readLogs } from "../../lib/experiment/publish";
import { curveFigures } from "../../lib/export/curves";
import { easyR1Log, hfLog, readTrainerLog } from "../../lib/export/logs";
import { initLora } from "../../lib/model/lora";
import { saveAdapter } from "../../lib/model/adapter";
import { loadModel } from "../../lib/model/checkpoint";
import { LORA_DEFAULTS } from "../../lib/model/lora-config";
import { readJsonl } from "../../lib/util/files";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { capture, command } from "../cli/capture";
import { temporaryRun } from "../cli/runs";
import { model, writeAnimals } from "./animals";

const importing = command("import");
const folder = temporaryFolder();
const run = temporaryRun("import");
const at = (...parts: string[]): string => path.join(folder, ...parts);
const write = (file: string, value: unknown): void => {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
};
const options = (method: string, ...more: string[]): string[] => ["--run", run.name, "--method", method, ...more];

/** As transformers 5 with TRL 1.16 writes them (rows of `npm run interop`, shortened). */
const SFT_STATE = {
  log_history: [
    { entropy: 0.235, epoch: 1, grad_norm: 1.738, learning_rate: 2.5e-5, loss: 0.5021, num_tokens: 1355, step: 1 },
    { entropy: 0.235, epoch: 2, grad_norm: 1.614, learning_rate: 5e-5, loss: 0.4763, num_tokens: 2710, step: 2 },
    { epoch: 2, step: 2, total_flos: 1, train_loss: 0.4479, train_runtime: 56 },
  ],
};
const GRPO_STATE = {
  log_history: [1, 2, 3].map((step) => ({
    "clip_ratio/high_mean": 0,
    "clip_ratio/low_mean": 0.01,
    "completions/clipped_ratio": 0.25,
    "completions/mean_length": 40 + step,
    entropy: 0.3,
    frac_reward_zero_std: 0.5,
    grad_norm: 0.6,
    learning_rate: 1e-6,
    loss: -0.01,
    num_tokens: 100 * step,
    reward: 0.1 * step,
    "rewards/accuracy_reward/mean": 0.2,
    "rewards/format_reward/mean": 0.9,
    step,
    step_time: 2,
  })),
};

beforeAll(async () => void (await writeAnimals(folder)));
beforeEach(() => rmSync(run.folder, { recursive: true, force: true }));

/** A trainer's output: a checkpoint, and its log. */
function output(name: string, state: unknown): string {
  cpSync(model, at(name), { recursive: true });
  write(at(name, "trainer_state.json"), state);
  return at(name);
}

describe("import", () => {
  it("takes a checkpoint and its log, which evaluate and table go on with", async () => {
    const { code, out } = await capture(importing, [output("sft", SFT_STATE), ...options("sft", "--json")]);
    expect(code).toBe(0);
    const told = JSON.parse(out) as { kind: string; folder: string; commands: string[]; log: { steps: number } };
    expect(told).toMatchObject({ kind: "model", base: null, prompts: "paper", log: { stage: "sft", steps: 2 } });
    expect(readJsonl(path.join(run.folder, "logs/sft.jsonl"))).toEqual([
      { step: 1, loss: 0.5021, gradNorm: 1.738, skipped: 0, learningRate: 2.5e-5, tokens: 1355 },
      { step: 2, loss: 0.4763, gradNorm: 1.614, skipped: 0, learningRate: 5e-5, tokens: 1355 },
    ]);
    expect(readdirSync(path.join(run.folder, "tensorboard/sft"))).toHaveLength(1);
    const words = told.commands[0].split(" ");
    words[words.indexOf("--out") + 1] = path.join(run.folder, "predictions/sft-closed.jsonl");
    const asked = ["--benchmark", at("animals"), "--similarity", "names", "--max-new-tokens", "4", "--set", "shots=3"];
    expect((await capture(command(...words), asked)).code).toBe(0);
    const table = await capture(command("table"), ["--run", run.name]);
    expect([table.code, table.out]).toEqual([0, expect.stringMatching(/^\| sft +\|/m)]);
  });

  it("draws the curves of what was logged, though much was not", async () => {
    const { code, out } = await capture(importing, [output("rl", GRPO_STATE), ...options("cls-rl", "--json")]);
    expect([code, (JSON.parse(out) as { log: unknown }).log]).toEqual([0, expect.objectContaining({ stage: "rl" })]);
    const logs = readLogs(run.folder);
    expect(logs.get("cls-rl")![1]).toMatchObject({ reward: 0.2, format: 0.9, kept: 0.5, finished: 0.75, tokens: 100 });
    expect(rlCurves(logs)[0].metrics).toMatchObject({
      reward: [0.1, 0.2, expect.closeTo(0.3)],
      kl: [null, null, null],
    });
    const [{ name, figure }] = curveFigures(logs);
    const titles = (figure.layout as { annotations: { text: string }[] }).annotations.map(({ text }) => text);
    expect([name, titles.join()]).toEqual([
      "learning-curves",
      expect.stringMatching(/Reward.*Format.*Response.*Entropy/),
    ]);
    expect(titles.join()).not.toContain("KL"); // not logged: no panel
  });

  it("takes an adapter with its base, from the last checkpoint of a trainer's output", async () => {
    const { config, params } = loadModel(model);
    const lora = { ...LORA_DEFAULTS, baseModel: model };
    const adapter = initLora(config, lora, 1);
    for (const step of [2, 10]) saveAdapter(at("lora", `checkpoint-${step}`), { config, lora, params: adapter });
    disposeTree(params, adapter);
    write(at("lora/checkpoint-10/trainer_state.json"), SFT_STATE);
    const { code, out } = await capture(importing, [at("lora"), ...options("sft", "--json")]);
    const told = JSON.parse(out) as { commands: string[] };
    expect([code, told]).toEqual([0, expect.objectContaining({ kind: "adapter", base: model })]);
    expect(told.commands[0]).toContain(`--model ${model} --adapter ${path.join(run.folder, "adapters/sft")}`);
    const asked = ["--benchmark", at("animals"), "--similarity", "names", "--max-new-tokens", "2", "--set", "shots=3"];
    const words = told.commands[1].split(" ");
    words[words.indexOf("--out") + 1] = path.join(run.folder, "predictions/sft-open.jsonl");
    expect((await capture(command(...words), asked)).code).toBe(0);
    const based = (on: string): void =>
      write(at("lora/checkpoint-10/adapter_config.json"), {
        ...(JSON.parse(readFileSync(at("lora/checkpoint-10/adapter_config.json"), "utf8")) as object),
        base_model_name_or_path: on,
      });
    const odd = "output/merged; echo it's"; // a base that is named from the export's folder, by whoever made that
    cpSync(model, at("lora", odd), { recursive: true });
    write(at("lora/export.json"), { settings: { prompts: "tiny" } });
    based(odd);
    const inExport = await capture(importing, [at("lora"), ...options("further", "--json")]);
    const further = JSON.parse(inExport.out) as typeof told;
    expect(further).toMatchObject({ base: at("lora", odd), prompts: "tiny" });
    expect(further.commands[0]).toContain(`--model '${at("lora/output/merged; echo it'\\''s")}' --adapter`);
    based("Qwen/Nowhere");
    const lost = await capture(importing, [at("lora"), ...options("other")]);
    expect([lost.code, lost.err]).toEqual([1, expect.stringMatching(/"Qwen\/Nowhere" is no checkpoint.*--model DIR/)]);
  });

  it("keeps what is there: a second import, and this project's own training, are refused", async () => {
    const dir = output("again", SFT_STATE);
    expect((await capture(importing, [dir, ...options("sft")])).code).toBe(0);
    const second = await capture(importing, [dir, ...options("sft")]);
    expect([second.code, second.err]).toEqual([1, expect.stringContaining("--restart imports anew")]);
    expect((await capture(importing, [dir, ...options("sft", "--restart")])).code).toBe(0);
    const { records } = { records: at("records.json") };
    const own = ["--benchmark", at("animals"), "--model", model, "--teacher", records, "--run", run.name];
    const set = ["shots=3", "similarity=names", "precision=float32"].flatMap((one) => ["--set", one]);
    const before = readFileSync(path.join(run.folder, "models/sft/model.safetensors"));
    const trained = await capture(command("sft"), [...own, ...set]);
    expect([trained.code, trained.err]).toEqual([1, expect.stringContaining("is there already")]);
    expect(readFileSync(path.join(run.folder, "models/sft/model.safetensors")).equals(before)).toBe(true);
    rmSync(path.join(run.folder, "imported"), { recursive: true });
    const foreign = await capture(importing, [dir, ...options("sft", "--restart")]);
    expect([foreign.code, foreign.err]).toEqual([1, expect.stringContaining("made by this project")]);
  });

  it.each(["models/tapo", "adapters/tapo", "logs/tapo.jsonl"])(
    "is refused beside %s of this project, whatever is imported, and leaves it as it was",
    async (own) => {
      const dir = output("beside", SFT_STATE);
      for (const restart of [[], ["--restart"]]) {
        write(path.join(run.folder, own, ...(own.startsWith("logs") ? [] : ["weights"])), "mine");
        write(path.join(run.folder, `${own}.stamp`), "0123 4567");
        const before = readdirSync(run.folder, { recursive: true });
        const { code, err } = await capture(importing, [dir, ...options("tapo", ...restart)]);
        expect([code, err]).toEqual([1, expect.stringMatching(new RegExp(`${own}.*made by this project`))]);
        expect(readdirSync(run.folder, { recursive: true })).toEqual(before);
        write(path.join(run.folder, "imported/tapo.json"), "{}"); // of an import of the other kind
        if (own.startsWith("logs")) return; // then the log is the import's
      }
    },
  );

  it("with --restart leaves nothing of the earlier import: log, TensorBoard's files, figures, an adapter", async () => {
    const dir = output("logged", SFT_STATE);
    expect((await capture(importing, [dir, ...options("sft")])).code).toBe(0);
    const first = ["logs/sft.jsonl", "tensorboard/sft", "figures/sft-loss.svg", "figures/sft-loss.csv"];
    for (const name of first) expect([name, existsSync(path.join(run.folder, name))]).toEqual([name, true]);
    write(path.join(run.folder, "adapters/sft/adapter_config.json"), "{}");
    write(path.join(run.folder, "adapters/sft.stamp"), "imported 0123");
    rmSync(path.join(dir, "trainer_state.json"));
    expect((await capture(importing, [dir, ...options("sft", "--restart")])).code).toBe(0);
    for (const name of [...first, "figures/sft-loss.stamp.json", "adapters/sft", "adapters/sft.stamp"])
      expect([name, existsSync(path.join(run.folder, name))]).toEqual([name, false]);
    expect(existsSync(path.join(run.folder, "models/sft/model.safetensors"))).toBe(true);
  });

  it.each([
    ["has no step", { log_history: [{ step: 1, train_runtime: 3 }] }],
    ["is no log", {}],
    ["is no JSON", "{"],
  ])(
    "goes on without a log beside the model that %s, and says so; one that is asked for is refused",
    async (_, state) => {
      const dir = output("unlogged", state);
      const { code, out, err } = await capture(importing, [dir, ...options("sft", "--json")]);
      expect([code, JSON.parse(out)]).toEqual([0, expect.objectContaining({ kind: "model", log: null })]);
      expect(err).toMatch(/the log beside the model is left out: .*trainer_state\.json/);
      expect(existsSync(path.join(run.folder, "logs/sft.jsonl"))).toBe(false);
      const asked = ["--log", path.join(dir, "trainer_state.json")];
      const refused = await capture(importing, [dir, ...options("sft", "--restart", ...asked)]);
      expect([refused.code, refused.err]).toEqual([1, expect.stringContaining("trainer_state.json")]);
    },
  );

  it("leaves nothing of a model that cannot be used here, and says why", async () => {
    const dir = output("broken", SFT_STATE);
    const file = path.join(dir, "model.safetensors");
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    const { code, err } = await capture(importing, [dir, ...options("sft")]);
    expect([code, err]).toEqual([1, expect.stringContaining("model.safetensors")]);
    expect(existsSync(run.folder)).toBe(false);
    mkdirSync(at("shards/actor"), { recursive: true });
    writeFileSync(at("shards/actor/model_world_size_4_rank_0.pt"), "");
    const shards = await capture(importing, [at("shards"), ...options("tapo")]);
    expect([shards.code, shards.err]).toEqual([1, expect.stringContaining("model_merger.py")]);
    const nothing = await capture(importing, [at("animals"), ...options("tapo")]);
    expect([nothing.code, nothing.err]).toEqual([1, expect.stringContaining("neither a checkpoint")]);
  });

  it("finds the log of EasyR1 above the checkpoint that its merger left", async () => {
    cpSync(model, at("easyr1/global_step_2/actor/huggingface"), { recursive: true });
    const line = (step: number): string =>
      JSON.stringify({
        step,
        actor: { grad_norm: 0.4, lr: 1e-6, entropy_loss: 0.2, kl_prcp_loss: -0.05, pg_clipfrac_higher: 0.01 },
        reward: { overall: 0.5, accuracy: 0.5, format: 1 },
        response_length: { mean: 200, clip_ratio: 0.1 },
        perf: { time_per_step: 60 },
      });
    const validation = JSON.stringify({ step: 0, val: { reward_score: 0.1 } });
    write(at("easyr1/experiment_log.jsonl"), `${validation}\n${line(1)}\n${line(2)}\n`);
    const { code } = await capture(importing, [at("easyr1/global_step_2"), ...options("tapo")]);
    expect(code).toBe(0);
    const rows = readJsonl<object>(path.join(run.folder, "logs/tapo.jsonl"));
    expect(rows).toHaveLength(2);
    expect(rows[1]).toMatchObject({ step: 2, reward: 0.5, kl: 0.05, length: 200, gradNorm: 0.4, seconds: 60 });
  });
});

describe("logs", () => {
  it("reads LLaMA-Factory's lines, and prefers nothing that is not there", () => {
    const lines = [1, 2].map((n) => JSON.stringify({ current_steps: n, total_steps: 2, loss: 3 - n, lr: 1e-5 }));
    write(at("lf/trainer_log.jsonl"), `${lines.join("\n")}\n${JSON.stringify({ current_steps: 2, total_steps: 2 })}\n`);
    expect(readTrainerLog(at("lf/trainer_log.jsonl")).rows).toEqual([
      { step: 1, loss: 2, gradNorm: null, skipped: 0, learningRate: 1e-5, tokens: null },
      { step: 2, loss: 1, gradNorm: null, skipped: 0, learningRate: 1e-5, tokens: null },
    ]);
  });

  it("names what is no log", () => {
    write(at("bad/trainer_state.json"), {});
    expect(() => hfLog(at("bad/trainer_state.json"))).toThrow(/log_history is no list/);
    write(at("bad/empty/trainer_state.json"), { log_history: [] });
    expect(() => readTrainerLog(at("bad/empty/trainer_state.json"))).toThrow(/has no step/);
    write(at("bad/experiment_log.jsonl"), '{"step": 1\n');
    expect(() => easyR1Log(at("bad/experiment_log.jsonl"))).toThrow(/line 1 is not JSON/);
    copyFileSync(at("bad/experiment_log.jsonl"), at("bad/other.jsonl"));
    expect(() => readTrainerLog(at("bad/other.jsonl"))).toThrow(/no log of a trainer that is known/);
  });
});

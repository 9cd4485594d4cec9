import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { capture, command } from "./capture";

const run = command("plan");

const model = ["--model", join(__dirname, "../fixtures/parity/fixture-tied/model")];

describe("plan", () => {
  it("prints every phase and exits 0 where they fit", async () => {
    const { code, out, err } = await capture(run, [...model, "--scale", "default", "--memory", "64"]);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/SFT step: [\d.]+ GiB\n {2}weights /);
    expect(out).toMatch(/RL generation: [\s\S]*TAPO update: [\s\S]*memory: 64\.00 GiB\n$/);
  });
  it("refuses with numbers and exit 1 where one does not; an adapter needs less", async () => {
    const { code, err } = await capture(run, [...model, "--scale", "paper", "--memory", "0.01"]);
    expect(code).toBe(1);
    expect(err).toMatch(/plan: TAPO update needs [\d.]+ GiB, [\d.]+ GiB more than there are: it cannot run/);
    const trained = async (...more: string[]): Promise<number> =>
      Number(/(\d+) trained parameters/.exec((await capture(run, [...model, "--scale", "default", ...more])).out)![1]);
    expect(await trained("--set", "lora.rank=1")).toBeLessThan((await trained()) / 5);
    expect((await capture(run, [...model, "--scale", "default", "--set", "lora.rank=4"])).out).toMatch(
      /an adapter of rank 4/,
    );
  });
  it("holds a base that is stored in bfloat16 as it is beside an adapter, in float32 where it is trained itself", async () => {
    const folder = mkdtempSync(join(tmpdir(), "plan-"));
    const own = join(folder, "model");
    cpSync(model[1], own, { recursive: true });
    rmSync(join(own, "model.safetensors"));
    const config = JSON.parse(readFileSync(join(own, "config.json"), "utf8")) as object;
    const weights = async (dtype: string, ...more: string[]): Promise<string> => {
      writeFileSync(join(own, "config.json"), JSON.stringify({ ...config, torch_dtype: dtype }));
      return /weights .*/.exec((await capture(run, ["--model", own, "--scale", "default", ...more])).out)![0];
    };
    const adapter = ["--set", "lora.rank=4"];
    expect(await weights("bfloat16", ...adapter)).toMatch(/\d+ parameters in bfloat16, \d+ in float32/);
    expect(await weights("bfloat16")).toMatch(/\d+ parameters in float32/);
    expect(await weights("float16", ...adapter)).toMatch(/\d+ parameters in float32/);
    rmSync(folder, { recursive: true });
  });
  it("takes the paper's scale for a model that is not the shipped base, and the row length of the settings", async () => {
    const { out } = await capture(run, [...model, "--memory", "64"]);
    expect(out).toMatch(/, scale paper, the whole model; images/);
    expect((await capture(run, ["--model", "data/base", "--memory", "64"])).out).toMatch(/, scale default, /);
    const step = async (...more: string[]): Promise<number> =>
      Number(/SFT step: ([\d.]+) GiB/.exec((await capture(run, [...model, ...more, "--max-pixels", "3136"])).out)![1]);
    expect(await step("--set", "sft.maxLength=512")).toBeLessThan(await step());
  });
  it("gives hours and price of every stage by size, sub-categories and device, and says what is assumed", async () => {
    const args = ["--size", "3B,72B", "--subcategories", "6,10000", "--device", "h200", "--price", "5"];
    const { code, out, err } = await capture(run, args);
    expect(code).toBe(0);
    expect(out.match(/^Qwen2\.5-VL-(3B|72B), (6|10000) sub-categories, \d+ x NVIDIA H200 SXM/gm)).toHaveLength(4);
    for (const stage of ["CoT construction", "SFT", "RL rollouts", "RL updates", "evaluation", "all"])
      expect(out.match(new RegExp(`^  ${stage} +`, "gm")), stage).toHaveLength(4);
    expect(out).toMatch(/ASSUMPTION: no measurement of this device/);
    expect(out).toMatch(/an hour: \$5, as given/);
    expect(err).toMatch(/this project computes on one device; \d+ would take another engine/); // 72B
  });
  it("gives them as JSON, and for a checkpoint's own shapes with an adapter", async () => {
    const device = ["--device", "cpu-avx512", "--teacher-size", "3B"];
    const { out } = await capture(run, [...model, ...device, "--set", "lora.rank=4", "--json"]);
    const [plan] = JSON.parse(out) as {
      stages: { stage: string; device_hours: object; price: null }[];
      devices: number;
    }[];
    expect(plan.stages).toHaveLength(5);
    expect([plan.devices, plan.stages[0].price]).toEqual([1, null]);
  });
  it("counts what settings say, and the teacher's memory", async () => {
    const args = ["--size", "3B", "--device", "h200", "--json"];
    type Plan = { stages: { stage: string; flops: number }[]; fewest_devices: number };
    const planned = async (...more: string[]) => {
      const [plan] = JSON.parse((await capture(run, [...args, ...more])).out) as Plan[];
      return plan;
    };
    const [ten, one] = [await planned(), await planned("--set", "sft.epochs=1")];
    expect(one.stages[1].flops / ten.stages[1].flops).toBeCloseTo(0.1, 3);
    expect(ten.fewest_devices).toBe(1);
    expect((await planned("--teacher-size", "72B", "--engine", "elsewhere")).fewest_devices).toBe(2);
    const { err } = await capture(run, ["--size", "3B", "--device", "h200", "--teacher-size", "72B"]);
    expect(err).toMatch(/2 would take another engine: .* a smaller --teacher-size or an endpoint/);
  });
  it("says what speeds are fitted to, with errors on times held out", async () => {
    const { code, out } = await capture(run, ["--calibration"]);
    expect(code).toBe(0);
    expect(out).toMatch(/^cpu-avx512, training steps, one left out at a time: mean error \d+ %/m);
    expect(out).toMatch(/^ {2}avx512, tapo-step +4\.44 s, predicted +[\d.]+ s {2}[+−]\d+ %$/m);
  });
  it.each([
    [["--size", "4B"], /--size: no "4B"; expected 3B, 7B, 32B, 72B/],
    [["--size", "3B", "--device", "tpu"], /no device "tpu"; expected cpu-amx/],
    [["--size", "3B", "--subcategories", "0"], /--subcategories is "0"; expected a whole number of at least 1/],
    [["--size", "3B", "--teacher-price", "1"], /--teacher-price is "1"; expected two numbers/],
    [["--device", "h100"], /--model is missing/],
    [["--size", "3B", "--device", "cpu-amx", "--engine", "elsewhere"], /other engines are planned on GPUs only/],
    [["--scale", "paper"], /--model is missing/],
    [[...model, "--scale", "big"], /--scale is "big"; expected smoke, default or paper/],
    [[...model, "--scale", "paper", "--memory", "x"], /--memory is "x"; expected a number above 0/],
    [["--model", "nowhere", "--scale", "paper"], /config\.json: cannot be read/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(run, args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });
});

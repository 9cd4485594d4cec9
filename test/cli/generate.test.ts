import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { capture, command } from "./capture";

const run = command("generate");

const fixture = join(__dirname, "../fixtures/parity/fixture-tied");
const image = (name: string): string[] => ["--image", join(fixture, "images", `${name}.png`)];
const base = ["--model", join(fixture, "model"), "--prompt", "Which is larger?", "--max-new-tokens", "8"];

describe("generate", () => {
  it("prints one line of JSON, and the same text when it streams", async () => {
    const args = [...base, ...image("square"), ...image("ragged"), "--system", "Be brief.", "--ignore-eos"];
    const { code, out, err } = await capture(run, [...args, "--json"]);
    expect([code, err]).toEqual([0, ""]);
    const result = JSON.parse(out) as Record<string, number[] & number[][] & string>;
    expect(Object.keys(result)).toEqual(["prompt_token_ids", "image_grid_thw", "token_ids", "log_probs", "text"]);
    expect([result.image_grid_thw.length, result.token_ids.length, result.log_probs.length]).toEqual([2, 8, 8]);
    expect((await capture(run, args)).out).toBe(`${result.text}\n`);
  });
  it("samples by seed", async () => {
    const sample = async (seed: string): Promise<string> =>
      (
        await capture(run, [
          ...base,
          "--temperature",
          "2",
          "--top-p",
          "0.9",
          "--top-k",
          "0",
          "--repetition-penalty",
          "1.1",
          "--seed",
          seed,
          "--json",
        ])
      ).out;
    expect(await sample("1")).toBe(await sample("1"));
    expect(await sample("1")).not.toBe(await sample("2"));
  });
  it("says the same with weights held in bfloat16 as they are stored, and takes both choices", async () => {
    const untied = join(fixture, "../fixture-untied");
    const args = [
      "--model",
      join(untied, "model"),
      "--image",
      join(untied, "images", "square.png"),
      ...base.slice(2),
      "--ignore-eos",
      "--json",
    ];
    const answer = async (...more: string[]): Promise<{ token_ids: number[]; log_probs: number[] }> =>
      JSON.parse((await capture(run, [...args, ...more])).out) as { token_ids: number[]; log_probs: number[] };
    const [wide, held, half] = [
      await answer("--dtype", "float32"),
      await answer("--dtype", "auto"),
      await answer("--dtype", "bfloat16", "--precision", "bfloat16"),
    ];
    expect(held.token_ids).toEqual(wide.token_ids);
    held.log_probs.forEach((p, i) => expect(Math.abs(p - wide.log_probs[i])).toBeLessThan(1e-5));
    expect(half.log_probs).not.toEqual(wide.log_probs);
    expect(half.log_probs.every(Number.isFinite)).toBe(true);
  });
  it.each([
    [
      [...base, "--dtype", "float16"],
      /--dtype is "float16"; expected auto, float32 or bfloat16; see fine-r1 generate --help/,
    ],
    [["--model", fixture], /--prompt is missing/],
    [[...base.slice(2)], /--model is missing/],
    [[...base, "--temperature", "warm"], /--temperature is "warm"; expected a number/],
    [[...base, "--top-p", "2"], /top-p is "2"; expected a number above 0 and of at most 1/],
    [[...base, "--seed", "0.5"], /--seed is "0\.5"/],
    [[...base, "--image", "none.png"], /none\.png/],
    [["--model", join(fixture, "images"), ...base.slice(2)], /tokenizer\.json: cannot be read/],
  ])("exits 1 on %j", async (args, message) => {
    const { code, out, err } = await capture(run, args);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toMatch(message);
  });
});

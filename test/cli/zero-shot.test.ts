import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { hasOnnx } from "../../lib/eval/onnx";
import { capture, command } from "./capture";

const score = command("score");
const table = command("table");
const zeroShot = command("zero-shot");

const folder = mkdtempSync(path.join(tmpdir(), "zero-shot-"));
afterAll(() => rmSync(folder, { recursive: true }));
const fixtures = path.join(__dirname, "../fixtures/onnx");
const rows = ["square", "blocks", "wide"].map((name, i) => ({
  image_path: `${name}.png`,
  question: "What is this?",
  options: ["red fox", "wolf", "polar bear", "737-700"],
  ground_truth: ["red fox", "wolf", "polar bear"][i],
}));
const file = (name: string, lines: unknown[]): string => {
  const whole = path.join(folder, name);
  writeFileSync(whole, lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  return whole;
};
const set = file("bears_seen.jsonl", rows);
const out = path.join(folder, "baselines/clip.jsonl");

describe("zero-shot", () => {
  it.each([
    [["--benchmark", set, "--setting", "open"], /--model is missing/],
    [["--model", path.join(fixtures, "clip"), "--benchmark", set], /--setting is missing/],
    [["--model", folder, "--benchmark", set, "--setting", "open", "--images", fixtures], /config\.json: no such file/],
    [
      ["--model", path.join(fixtures, "clip"), "--benchmark", set, "--setting", "open", "--method", "../x"],
      /--method is "\.\.\/x"/,
    ],
  ])("exits 1 on %j", async (args, message) => {
    const { code, err } = await capture(zeroShot, args);
    expect(code).toBe(1);
    expect(err).toMatch(message);
  });

  it.skipIf(!hasOnnx())("writes predictions that score and table read, the same bytes again", async () => {
    const args = [
      "--model",
      path.join(fixtures, "clip"),
      "--benchmark",
      set,
      "--images",
      fixtures,
      "--out",
      out,
      "--json",
    ];
    const first = await capture(zeroShot, [...args, "--setting", "closed"]);
    expect(first.code).toBe(0);
    const { substring, n } = JSON.parse(first.out) as { substring: number; n: number };
    expect(n).toBe(3);
    const bytes = readFileSync(out, "utf8");
    await capture(zeroShot, [...args, "--setting", "closed"]);
    expect(readFileSync(out, "utf8")).toBe(bytes);
    expect(
      JSON.parse((await capture(score, ["--predictions", out, "--setting", "closed", "--json"])).out),
    ).toMatchObject({ n: 3, substring });
    expect((await capture(table, ["--predictions", path.dirname(out)])).out).toMatch(/\| clip +\|/);
  });

  it.skipIf(!hasOnnx())("stops at a missing image, or leaves it out and counts it", async () => {
    const gaps = file("gaps_seen.jsonl", [...rows, { ...rows[0], image_path: "none.png" }]);
    const args = [
      "--model",
      path.join(fixtures, "siglip"),
      "--benchmark",
      gaps,
      "--images",
      fixtures,
      "--setting",
      "open",
      "--out",
      path.join(folder, "gaps.out.jsonl"),
      "--json",
    ];
    const stopped = await capture(zeroShot, args);
    expect([stopped.code, existsSync(path.join(folder, "gaps.out.jsonl"))]).toEqual([1, false]);
    expect(stopped.err).toMatch(/gaps_seen\.jsonl, line 4: the image none\.png is missing/);
    const skipped = await capture(zeroShot, [...args, "--on-bad-row", "skip"]);
    expect(skipped.code).toBe(2);
    expect(JSON.parse(skipped.out)).toMatchObject({ n: 3, skipped: 1 });
  });
});

describe("--similarity", () => {
  const predictions = file("p.jsonl", [
    { ...rows[0], output: "<answer>red fox</answer>" },
    { ...rows[1], output: "<answer>object</answer>" },
  ]);

  it("leaves the column out with the reason where there is no model, and scores all the same", async () => {
    const {
      code,
      out: printed,
      err,
    } = await capture(score, [
      "--predictions",
      predictions,
      "--setting",
      "open",
      "--json",
      "--similarity",
      path.join(folder, "none"),
    ]);
    expect(code).toBe(0);
    expect(err).toMatch(/similarity left out: .*none\/config\.json: no such file/);
    expect(JSON.parse(printed)).toEqual({ n: 2, skipped: 0, substring: 0.5, exact: 0.5, listing: 0 });
    expect(
      (
        await capture(score, [
          "--predictions",
          predictions,
          "--setting",
          "closed",
          "--json",
          "--similarity",
          path.join(fixtures, "siglip"),
        ])
      ).err,
    ).toMatch(/no open-world rows/);
  });

  it.skipIf(!hasOnnx())("is 1 for the truth and 0 for the super-category's word", async () => {
    const { out: printed } = await capture(score, [
      "--predictions",
      predictions,
      "--setting",
      "open",
      "--json",
      "--similarity",
      path.join(fixtures, "siglip"),
    ]);
    expect((JSON.parse(printed) as { similarity: number }).similarity).toBeCloseTo(0.5, 5);
  });
});

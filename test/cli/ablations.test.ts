import { describe, expect, it } from "vitest";
import { capture, command } from "./capture";

const run = command("ablations");

describe("ablations", () => {
  it("lists variants with their settings, and families", async () => {
    const { code, out } = await capture(run, ["--list", "--only", "kl", "--scale", "default"]);
    expect(code).toBe(0);
    const lines = out.split("\n");
    expect(lines.slice(0, 6)).toEqual([
      "Variants:",
      "  sft       sft",
      "  tapo      tapo",
      "  kl-0      tapo, rl.klCoefficient=0",
      "  kl-0.001  tapo, rl.klCoefficient=0.001",
      "  kl-0.1    tapo, rl.klCoefficient=0.1",
    ]);
    expect(lines.find((line) => line.trim().startsWith("kl "))).toMatch(
      /Weight of the inter-class KL: kl-0, kl-0\.001, tapo, kl-0\.1$/,
    );
  });

  it.each([
    [["--seeds", "1,1"], /--seeds is "1,1"; expected different whole numbers/],
    [["--seeds", "1,-2"], /--seeds is "1,-2"; expected/],
    [["--seeds", ""], /--seeds is ""; expected/],
    [["--role", "fewshot"], /--role is "fewshot"; expected dev or test/],
    [["--only", "tapo,nothing"], /unknown variant "nothing"; families: methods/],
    [["--scale", "huge"], /--scale is "huge"; expected smoke, default or paper/],
    [["--run", "../up"], /--run is "\.\.\/up"; expected letters, digits/],
    [["--variants", "x"], /unknown option --variants/],
  ])("refuses %j before anything is loaded", async (args, message) => {
    const { code, out, err } = await capture(run, ["--scale", "smoke", ...args]);
    expect([code, out, err]).toEqual([1, "", expect.stringMatching(message)]);
    expect(err.trimEnd()).not.toContain("\n");
  });
});

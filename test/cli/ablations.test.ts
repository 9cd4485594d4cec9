import { afterEach, describe, expect, it, vi } from "vitest";
import { run } from "../../cli/ablations";

afterEach(() => vi.restoreAllMocks());

describe("ablations", () => {
  it("lists variants with their settings, and families", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => undefined);
    expect(await run(["--list", "--only", "kl", "--scale", "default"])).toBe(0);
    const lines = (log.mock.calls[0][0] as string).split("\n");
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
    [["--scale", "huge"], /unknown scale "huge"/],
    [["--run", "../up"], /setting run=\.\.\/up/],
    [["--variants", "x"], /Unknown option '--variants'/],
  ])("refuses %j before anything is loaded", async (args, message) => {
    await expect(run(["--scale", "smoke", ...args])).rejects.toThrow(message);
  });
});

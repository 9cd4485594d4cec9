import { describe, expect, it } from "vitest";
import { openFor, settingsOf } from "../../cli/experiment";
import { readLooks } from "../../lib/experiment/study/look";

describe("the study's test drawings", () => {
  it.runIf(readLooks().length === 0)("are opened by no other command before the first look", async () => {
    const settings = settingsOf({ scale: "smoke", benchmark: "emoji-study-test" });
    expect(settings.model).toBe("data/study-base");
    await expect(openFor(settings)).rejects.toThrow(/emoji-study-test: nothing has looked.*study --on test/);
  });

  it("have a base and longer answers of their own, in both groups", () => {
    for (const benchmark of ["emoji-study-dev", "emoji-study-test"]) {
      const { model, prompts, rl, sft } = settingsOf({ benchmark });
      expect([model, prompts, rl.maxNewTokens, sft.replayRows]).toEqual(["data/study-base", "tiny", 128, 16]);
    }
    expect(settingsOf({ benchmark: "emoji-study-dev", model: "data/base" }).sft.replayRows).toBe(0);
  });
});

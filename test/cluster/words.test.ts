import { describe, expect, it } from "vitest";
import { command as ablations } from "../../cli/commands/ablations";
import { command as evaluate } from "../../cli/commands/evaluate";
import { sharedWords } from "../../cli/ray";

/** What Commander reads from words. */
function read(
  build: () => { exitOverride(): unknown; parse(words: string[], from: { from: "user" }): unknown; opts(): object },
  words: string[],
): object {
  const command = build();
  command.exitOverride();
  command.parse(words, { from: "user" });
  return command.opts();
}

describe("words of a task", () => {
  it("are the options that were given, read again as they were", () => {
    const given = [
      "--benchmark=./-photos with space",
      "--setting=closed",
      "--set=eval.limit=3",
      "--set=cot.conceptsPerImage=2",
      "--question=What's this? --ray",
      "--seed=7",
      "--direct",
      "--ray=http://127.0.0.1:8265",
      "--ray-cpus=3",
      "--ray-parts=9",
      "--json",
      "--restart",
    ];
    const options = read(evaluate, given);
    const words = sharedWords(evaluate, options, ["restart"]);
    expect(words[0]).toBe("evaluate");
    expect(words.some((word) => /^--(ray|json|restart)/.test(word))).toBe(false);
    const again = read(evaluate, words.slice(1));
    const {
      ray: _,
      rayCpus: __,
      rayParts: ___,
      json: ____,
      restart: _____,
      ...task
    } = options as Record<string, unknown>;
    expect(again).toMatchObject(task);
    expect(again).toMatchObject({ rayCpus: 1, json: false, restart: false });
  });

  it("leave out what a slice replaces", () => {
    const options = read(ablations, ["--only=kl,parts", "--seeds=1,2", "--run=x", "--role=test"]);
    expect(sharedWords(ablations, options, ["only", "seeds"])).toEqual(["ablations", "--run=x", "--role=test"]);
    expect(sharedWords(ablations, options, ["seeds"]).slice(1, 2)).toEqual(["--run=x"]);
  });
});

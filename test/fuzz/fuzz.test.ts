/**
 * Bad input gets an answer: for every kind of input some changed ones, and all that once failed (corpus/). The long
 * form is `node --import tsx tools/torture/fuzz.ts`.
 */
import * as fc from "fast-check";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../benchmark/photographs/trees";
import { judge } from "./judge";
import { TARGETS } from "./targets";

const RUNS = 150;
const home = temporaryFolder();

const made = (kind: string) => {
  const shared = path.join(home, `${kind}-shared`);
  mkdirSync(shared, { recursive: true });
  return TARGETS[kind](shared);
};

/** Names of the inputs of a kind that once failed. */
const corpusOf = (kind: string): string[] => {
  const folder = path.join(__dirname, "corpus", kind);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};

describe.each(Object.keys(TARGETS))("changed inputs: %s", (kind) => {
  it("are read, or refused by name", async () => {
    const target = await made(kind);
    const folder = path.join(home, kind);
    let loaded = 0;
    const { counterexample } = await fc.check(
      fc.asyncProperty(target.inputs, async (input) => {
        const verdict = await judge(target, input, folder);
        if (verdict.loaded) loaded++;
        return verdict.problem === null;
      }),
      { seed: 7, numRuns: RUNS },
    );
    if (counterexample !== null) {
      const [input] = counterexample; // as small as fast-check could make it
      const { problem } = await judge(target, input, folder);
      expect.fail(
        `${problem}\ninput, in base64, for test/fuzz/corpus/${kind}: ${input.toString("base64").slice(0, 4000)}`,
      );
    }
    expect(loaded).toBeGreaterThan(0); // else the good ones are refused too
    if (kind !== "predictions") expect(loaded).toBeLessThan(RUNS); // bad rows are listed there, not thrown
  });

  it("those that once failed, too", async () => {
    const target = await made(kind);
    for (const name of corpusOf(kind)) {
      const input = readFileSync(path.join(__dirname, "corpus", kind, name));
      expect((await judge(target, input, path.join(home, kind))).problem, name).toBeNull();
    }
  });
});

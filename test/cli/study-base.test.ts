/** The study's base as committed: of this recipe, of this size, and with words for what it is asked. */
import { readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { RECIPES } from "../../cli/pretraining/recipes";
import { loadEmojiFgvr } from "../../lib/benchmark/emoji-fgvr";
import { loadConfig } from "../../lib/model/checkpoint";
import { paramShapes } from "../../lib/model/shapes";
import { loadProcessor } from "../../lib/processor/processor";
import { repositoryRoot } from "../../lib/util/root";

const folder = path.join(repositoryRoot(), "data/study-base");
const recipe = RECIPES["emoji-study"];

describe("data/study-base", () => {
  it("was made by the recipe that stands in the code", () => {
    const made = JSON.parse(readFileSync(path.join(folder, "pretraining.json"), "utf8")) as Record<string, unknown>;
    expect(made).toEqual(JSON.parse(JSON.stringify({ ...recipe, seed: 0 })));
    const lines = readFileSync(path.join(folder, "pretraining.csv"), "utf8").trim().split("\n");
    expect(lines).toHaveLength(1 + recipe.language.reduce((sum, phase) => sum + phase.steps, 0));
  });

  it("has the recipe's tower, and fewer bytes than a base may have", () => {
    const { config } = loadConfig(folder);
    expect(config.vision).toMatchObject(recipe.tower!);
    const parameters = Object.values(paramShapes(config)).reduce(
      (sum, shape) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    const { size } = statSync(path.join(folder, "model.safetensors"));
    expect(size).toBeGreaterThan(4 * parameters);
    expect(size).toBeLessThan(30e6);
  });

  it("reads every name and every visual word as few tokens, and back", () => {
    const { tokenizer } = loadProcessor(folder);
    const { concepts } = loadEmojiFgvr({ edition: "emoji-study" });
    const words = [...new Set(concepts.flatMap((c) => c.visualWords))];
    const tokens = words.map((word) => tokenizer.encode(` ${word}`));
    words.forEach((word, i) => expect(tokenizer.decode(tokens[i])).toBe(` ${word}`));
    expect(tokens.reduce((sum, ids) => sum + ids.length, 0) / words.length).toBeLessThan(1.3);
    for (const { name } of concepts) expect(tokenizer.decode(tokenizer.encode(` ${name}`))).toBe(` ${name}`);
  });
});

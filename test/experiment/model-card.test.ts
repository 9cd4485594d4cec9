import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { describe, expect, it } from "vitest";
import type { PredictionRow } from "../../lib/eval/rows";
import { modelCard, writeCardResults, type CardFacts } from "../../lib/experiment/model-card";
import { provenance } from "../../lib/experiment/identity";
import { loadSettings } from "../../lib/experiment/load-settings";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const settings = loadSettings({ environment: {} });
const facts: CardFacts = {
  method: "tapo",
  settings,
  data: "cd".repeat(32),
  benchmark: "Emoji-FGVR",
  stamp: "ab".repeat(32),
  parameters: 3_239_000,
  images: "few-shot images of 128 sub-categories of Emoji-FGVR",
  steps: 16,
};

/** Front matter of plain `key: value` lines and one list. */
function frontMatter(card: string): Record<string, string | string[]> {
  const [, text] = /^---\n([\s\S]*?)\n---\n\n# /.exec(card)!;
  const out: Record<string, string | string[]> = {};
  for (const line of text.split("\n")) {
    const item = /^ {2}- ([a-z0-9_-]+)$/.exec(line);
    if (item) (out.tags as string[]).push(item[1]);
    else {
      const [, key, value] = /^([a-z_]+):(?: (.+))?$/.exec(line)!;
      out[key] = value ?? [];
    }
  }
  return out;
}

describe("modelCard", () => {
  it("has the front matter that the Hub reads", () => {
    expect(frontMatter(modelCard(facts))).toEqual({
      language: "en",
      license: "mit",
      library_name: "transformers",
      pipeline_tag: "image-text-to-text",
      base_model: '"data/base"',
      tags: [
        "fine-r1",
        "fine-grained-visual-recognition",
        "qwen2_5_vl",
        "chain-of-thought",
        "reinforcement-learning",
        "tapo",
      ],
    });
    const model = path.join(folder, "Qwen2.5-VL-3B-Instruct");
    mkdirSync(model);
    const qwen = { ...settings, model };
    expect(frontMatter(modelCard({ ...facts, settings: qwen }))).toMatchObject({
      license: "other",
      base_model: JSON.stringify(model),
    });
    const pet = modelCard({ ...facts, settings: { ...qwen, benchmark: "pet" }, benchmark: "Oxford-IIIT Pet" });
    expect(pet).toContain("**Data:** Oxford-IIIT Pet; no test or dev image, none of an unseen sub-category.");
    expect(pet).not.toContain("64 x 64");
    expect(modelCard(facts)).toContain("**Data:** Emoji-FGVR, 64 x 64");
  });

  it("says what made the model: method, numbers, hashes, and the settings its stages read", () => {
    const card = modelCard(facts);
    for (const part of [
      "# TAPO, run main, seed 0",
      "3.24 million",
      "5 rollouts from the anchor and 5 from the positive",
      "16 steps",
      "128 sub-categories",
      facts.stamp,
      provenance(settings, facts.data).code,
      provenance(settings, facts.data).data,
    ])
      expect(card).toContain(part);
    const of = (text: string): Record<string, unknown> =>
      JSON.parse(/```json\n([\s\S]*?)```/.exec(text)![1]) as Record<string, unknown>;
    expect(of(card)).toEqual({
      seed: 0,
      precision: "auto",
      prompts: "tiny",
      cot: settings.cot,
      sft: settings.sft,
      rl: settings.rl,
    });
    const sft = modelCard({ ...facts, method: "sft" });
    expect(of(sft)).not.toHaveProperty("rl");
    expect(sft).toContain("structured rationales (Stage 1 of Fine-R1), 16 steps");
    expect(modelCard({ ...facts, method: "tapo-no-intra" })).toContain("10 rollouts from the anchor in a group");
    const neighbours: CardFacts["settings"] = {
      ...settings,
      rl: { ...settings.rl, secondView: "noisy", contrastImage: "masked" },
    };
    expect(modelCard({ ...facts, settings: neighbours, method: "tapo-no-inter" })).toContain(
      "5 rollouts from the anchor and 5 from the anchor with noise in a group, on few-shot",
    );
    expect(modelCard({ ...facts, settings: neighbours, method: "tapo-no-intra" })).toContain(
      "10 rollouts from the anchor in a group, contrasted with the anchor with blackened patches, on few-shot",
    );
    expect(modelCard({ ...facts, variant: "kl-0" })).toContain("# TAPO, variant kl-0, run main");
  });

  it("is the same for the same model", () => expect(modelCard({ ...facts })).toBe(modelCard(facts)));
});

describe("writeCardResults", () => {
  const file = path.join(folder, "README.md");
  const rows = (right: number): PredictionRow[] =>
    (["closed", "open"] as const).flatMap((setting) =>
      (["seen", "unseen"] as const).flatMap((split) =>
        Array.from({ length: 4 }, (_, i): PredictionRow => ({
          method: "tapo",
          seed: 0,
          domain: "bird",
          split,
          setting,
          image_path: `${split}${i}`,
          question: "q",
          ground_truth: `fox ${i}`,
          output: i < right ? `<answer>fox ${i}</answer>` : "",
        })),
      ),
    );

  it("puts results where the card has room for them, again and again, and changes nothing else", () => {
    writeFileSync(file, modelCard(facts));
    writeCardResults(folder, rows(1), "test");
    expect(readFileSync(file, "utf8")).toContain("| tapo   |     1 | 25.0 [");
    writeCardResults(folder, rows(3), "test");
    const card = readFileSync(file, "utf8");
    expect(card).toContain("over 16 questions on test drawings (bird)");
    expect(card).toContain("| tapo   |     1 | 75.0 [");
    expect(card).not.toContain("25.0 [");
    const outside = (text: string): string => text.replace(/<!-- results -->[\s\S]*<!-- end of results -->/, "");
    expect(outside(card)).toBe(outside(modelCard(facts)));
  });

  it("leaves somebody's own card alone, and makes none where there is none", () => {
    writeFileSync(file, "# mine\n");
    writeCardResults(folder, rows(1), "test");
    expect(readFileSync(file, "utf8")).toBe("# mine\n");
    rmSync(file);
    writeCardResults(folder, rows(1), "test");
    expect(() => readFileSync(file)).toThrow();
  });
});

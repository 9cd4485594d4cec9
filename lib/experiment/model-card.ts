/**
 * The model card, `README.md` beside an exported model: front matter as the Hugging Face Hub reads it
 * (https://huggingface.co/docs/hub/model-cards), then what the model is, what made it, and what it is not for. It
 * depends on code, data and settings only: the same model has the same card.
 */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { overview } from "../eval/overview";
import type { PredictionRow } from "../eval/rows";
import { methodFacts } from "../train/methods";
import { provenance } from "./identity";
import { writeText } from "../util/files";
import { isDrawn } from "../benchmark/drawn";
import { SHIPPED_BASE, STUDY_BASE, type Settings } from "./settings";
import { escapeMarkdown } from "../report/escape-markdown";
import { methodStyle } from "../report/figures-theme";
import { overviewTable, toMarkdown } from "../report/tables";

/** What a card tells of one model. */
export interface CardFacts {
  /** The method that made it, as in the results table. */
  method: string;
  /** Name of a variant of that method. */
  variant?: string;
  settings: Settings;
  /** Fingerprint of the benchmark. */
  data: string;
  /** Title of the benchmark. */
  benchmark: string;
  /** Hash of the stage: equal stamps mean equal weights on the same kind of processor. */
  stamp: string;
  parameters: number;
  /** Whose images it was trained on, in words. */
  images: string;
  /** Steps of its last stage. */
  steps: number;
}

const RESULTS = ["<!-- results -->", "<!-- end of results -->"] as const;
const NO_RESULTS =
  "Not evaluated yet. `evaluate` of `lib/experiment/evaluate.ts` makes the predictions, and publishing the run puts them here.\n";
const NO_RESULTS_YET =
  "Not evaluated yet: `npm run -s fine-r1 -- evaluate --model` with this folder, a set and a setting makes predictions, `table` what they come to.\n";

/** What the inter-class terms contrasted with, where it is not the method's own. */
const CONTRASTS: Record<CardFacts["settings"]["rl"]["contrastImage"], string> = {
  hardest: "",
  random: ", contrasted with an image of a random other sub-category",
  masked: ", contrasted with the anchor with blackened patches",
};

const isRl = (method: string): boolean => methodFacts(method)?.stage === "rl";

function whatMadeIt({ method, settings, images, steps }: CardFacts): string {
  const facts = methodFacts(method);
  const last = `${steps} steps`;
  if (!facts || facts.stage !== "rl") return `${facts?.made ?? method}, ${last}, on ${images}.`;
  const { numGenerations, positiveGenerations, secondView, contrastImage } = settings.rl;
  const groups = facts.intra
    ? `${numGenerations - positiveGenerations} rollouts from the anchor and ${positiveGenerations} from the ${secondView === "noisy" ? "anchor with noise" : "positive"} in a group`
    : `${numGenerations} rollouts from the anchor in a group`;
  const contrast = facts.inter ? CONTRASTS[contrastImage] : "";
  return `Supervised fine-tuning on structured rationales, then ${facts.made}, ${last}, ${groups}${contrast}, on ${images}.`;
}

/** The card's text. */
export function modelCard(facts: CardFacts): string {
  const { method, variant = method, settings, stamp, parameters } = facts;
  const { label } = methodStyle(method);
  const shipped = settings.model === SHIPPED_BASE || settings.model === STUDY_BASE;
  const drawings = isDrawn(settings.benchmark);
  const { code, data } = provenance(settings, facts.data);
  const { seed, precision, prompts, cot, sft, rl } = settings;
  const used = { seed, precision, prompts, cot, sft, ...(isRl(method) ? { rl } : {}) };
  const tags = [
    "fine-r1",
    "fine-grained-visual-recognition",
    "qwen2_5_vl",
    "chain-of-thought",
    ...(isRl(method) ? ["reinforcement-learning", method] : ["sft"]),
  ];
  return `---
language: en
license: ${shipped ? "mit" : "other"}
library_name: transformers
pipeline_tag: image-text-to-text
base_model: ${JSON.stringify(settings.model)}
tags:
${tags.map((tag) => `  - ${tag}`).join("\n")}
---

# ${label}${variant === method ? "" : `, variant ${variant}`}, run ${settings.run}, seed ${seed}

A Qwen2.5-VL of ${(parameters / 1e6).toFixed(2)} million parameters that names the sub-category of what an image shows, in \`<think>…</think> <answer>…</answer>\`${method === "sft-direct" ? " or with the answer alone" : ""}.
It comes from a reproduction of Fine-R1 (ICLR 2026, arXiv 2602.07605) in TypeScript.

- **Base:** \`${settings.model}\`${shipped ? ", a small model of this project, trained from nothing on emoji drawings" : ""}; the name is a local folder, not one of the Hub.
- **Method:** ${label}. ${whatMadeIt(facts)}
- **Data:** ${settings.benchmark === "emoji-fgvr" ? "Emoji-FGVR, 64 x 64 pixel drawings of mammals, creatures, food, vehicles, flags and clothing; no image of a test or dev designer" : `${facts.benchmark}${drawings ? ", 64 x 64 pixel drawings" : ""}; no test or dev image, none of an unseen sub-category`}.

## Results

${RESULTS[0]}
${shipped ? NO_RESULTS : NO_RESULTS_YET}${RESULTS[1]}

## Use and limits

${
  shipped && drawings
    ? `For studying the method at a size that a processor trains in minutes. It knows the names of one image set's few hundred sub-categories in
English and has seen drawings only: it says nothing of use about photographs, and nothing about what is not among those names.
Its rationales are text that goes with an answer, not evidence for it; the answer is often wrong, and never says so.`
    : `For studying fine-grained visual recognition; the limits of its base hold. Its rationales are text that goes with an answer, not evidence for it.`
}
Not for decisions about people, safety or health.

## Licence

${shipped ? `MIT for code and weights of the base. The drawings that ${drawings ? "base and fine-tuning were" : "the base was"} trained on stay under their own licences, some of them share-alike: see the project's \`data/emoji-fgvr/ATTRIBUTION.md\`.${drawings ? "" : " The images of the fine-tuning stay under theirs."}` : "That of the base model and of the training images; this project's code is MIT."}

## Provenance

| | SHA-256 |
| --- | --- |
| stage (code, data, settings it depends on) | \`${stamp}\` |
| code | \`${code}\` |
| data and base | \`${data}\` |

\`\`\`json
${JSON.stringify(used, null, 2)}
\`\`\`
`;
}

/**
 * Puts a method's results into the card of its model, if there is one: accuracy in % of the run's predictions.
 * @param folder the model's directory
 * @param role whose drawings the questions are on
 */
export function writeCardResults(folder: string, rows: readonly PredictionRow[], role: Settings["eval"]["role"]): void {
  const file = path.join(folder, "README.md");
  if (rows.length === 0 || !existsSync(file)) return;
  const card = readFileSync(file, "utf8");
  const [from, to] = [card.indexOf(RESULTS[0]) + RESULTS[0].length, card.indexOf(RESULTS[1])];
  if (from < RESULTS[0].length || to < from) return; // somebody's own card
  const domains = [...new Set(rows.map((row) => row.domain))].sort().join(", ");
  const text = `Accuracy in % by text inclusion with 95 % intervals over ${rows.length} questions on ${role} drawings (${escapeMarkdown(domains)}); seen and unseen sub-categories.\n\n${toMarkdown(overviewTable(overview(rows)))}`;
  writeText(file, `${card.slice(0, from)}\n${text}${card.slice(to)}`);
}

/** The card of a data set: README.md with the fields that the Hugging Face hub reads. */
import type { Experiment } from "../experiment/types";
import { escapeMarkdown } from "../report/escape-markdown";
import { toYaml } from "./yaml";

/** What the card tells of the files. */
export interface CardFacts {
  counts: { questions: number; rationales: number };
  role: string;
  /** Files beside the card that say whose the images are. */
  attributions: readonly string[];
}

/** A teacher in words; the address of an endpoint is nobody's business. */
function teacherOf(teacher: string): string {
  if (teacher === "self") return "self (the base model)";
  return /^https?:/.test(teacher) ? "a model behind an endpoint" : teacher;
}

/** What was left out of the rationales: of a file of records, what its makers did. */
const rejectedOf = (teacher: string): string =>
  teacher === "self" || /^https?:/.test(teacher)
    ? "one whose prediction is wrong is left out"
    : "as that file has them";

/** The hub's names of sizes, each with the number of rows that it ends below. */
const SIZES: readonly (readonly [below: number, name: string])[] = [
  [1e3, "n<1K"],
  [1e4, "1K<n<10K"],
  [1e5, "10K<n<100K"],
  [1e6, "100K<n<1M"],
  [1e7, "1M<n<10M"],
  [1e8, "10M<n<100M"],
  [1e9, "100M<n<1B"],
];
/** A dataset's size as the hub's cards name it (https://huggingface.co/docs/hub/datasets-cards). */
export const sizeCategory = (rows: number): string => SIZES.find(([below]) => rows < below)?.[1] ?? "1B<n<10B";

/** The configurations as YAML lists, which `toYaml` writes in one line. */
const configs = (role: string, rationales: number): string => {
  const one = (name: string, split: string): string =>
    `- config_name: ${name}\n  data_files:\n  - split: ${split}\n    path: ${name}/${split}.parquet\n`;
  return `configs:\n${one("questions", role)}${rationales > 0 ? one("rationales", "train") : ""}`;
};

/** The card. */
export function datasetCard({ benchmark, settings }: Experiment, { counts, role, attributions }: CardFacts): string {
  const names = (split: "seen" | "unseen"): number => benchmark.subcategories({ split }).length;
  const header = toYaml({
    license: "other",
    language: ["en"],
    task_categories: ["image-classification", "visual-question-answering"],
    size_categories: [sizeCategory(counts.questions + counts.rationales)],
    pretty_name: `${benchmark.title}: questions and rationales`,
    tags: ["fine-grained", "fine-r1"],
  });
  const whose =
    attributions.length > 0
      ? `The images are others' work under their own licences, some of them share-alike: ${attributions.map((file) => `[${file}](${file})`).join(", ")}.`
      : "The images are their publishers', under their terms: see each set before you pass them on.";
  const load = (name: string): string => `    datasets.load_dataset("FOLDER", "${name}")\n`;
  return `---
${header}${configs(role, counts.rationales)}---

# ${escapeMarkdown(benchmark.title)}: questions and rationales

Fine-grained visual recognition: ${benchmark.subcategories().length} sub-categories, ${names("seen")} seen in training and
${names("unseen")} not (${benchmark.splitSource}). Written by \`fine-r1 export dataset\` from run \`${settings.run}\`; \`export.json\` has its
settings.

${load("questions")}${counts.rationales > 0 ? load("rationales") : ""}
**questions** (${role}, ${counts.questions} rows): \`image\`, \`image_path\`, \`question\`, \`options\` (empty in the open world),
\`ground_truth\`, \`domain\`, \`split\` (seen or unseen), \`setting\` (closed or open). Their images are never trained on.

**rationales** (train, ${counts.rationales} rows): \`image\`, \`image_path\`, \`system\`, \`user\` (\`<image>\` where the image stands, else in
front), \`assistant\` (the reasoning and the answer), \`answer\` (the answer alone), \`sub_category\`, \`setting\`. They are of
few-shot images of seen sub-categories, their teacher: ${teacherOf(settings.teacher)}; ${rejectedOf(settings.teacher)}.

${whose}
`;
}

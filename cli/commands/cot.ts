/** `cot`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

/** LLaMA-Factory's limit in the release's SFT: 768 x 768. */
const MAX_PIXELS = 589_824;

export const command = () =>
  shared
    .withEndpoint(
      new Command("cot")
        .summary("Stage-1 records of any image set by a teacher behind the OpenAI protocol")
        .description(
          "Asks a teacher about the training images of the seen sub-categories (of a folder: of all) and keeps what passes. Writes records.json, records-direct.json, data-card.json and concepts.jsonl. A run that was killed goes on without asking twice.",
        )
        .addOption(shared.benchmark().makeOptionMandatory()),
    )
    .addOption(shared.sets())
    .addOption(new Option("--kind <WORD>", "super-category in a word (default: that of the set)"))
    .addOption(shared.question())
    .addOption(shared.shots())
    .addOption(shared.limit())
    .addOption(shared.seed())
    .addOption(shared.count("--descriptions <N>", "descriptions asked of each image").default(10))
    .addOption(shared.count("--samples <N>", "rationales asked of each image").default(4))
    .addOption(shared.count("--concepts <N>", "concepts kept of each image").default(8))
    .addOption(
      shared
        .number("--redundancy-weight <W>", "weight of redundancy against information when concepts are chosen")
        .default(0.5),
    )
    .addOption(
      new Option("--candidates <WHOSE>", "other names in the rationale: the teacher's own, or given ones")
        .choices(["own", "given"])
        .default("own" as const),
    )
    .addOption(
      new Option("--match <HOW>", "when an answer is right").choices(["exact", "substring"]).default("exact" as const),
    )
    .addOption(shared.count("--min-words <N>", "words of a rationale, at least", 0).default(60))
    .addOption(shared.count("--max-words <N>", "words of a rationale, at most").default(1200))
    .addOption(
      shared
        .number("--duplicate-share <S>", "shared words from which two rationales are the same", { above: 0, most: 1 })
        .default(0.8),
    )
    .addOption(shared.count("--max-tokens <N>", "tokens of an answer, at most").default(2048))
    .addOption(shared.number("--temperature <T>", "sampling temperature", { least: 0 }).default(1))
    .addOption(shared.count("--max-pixels <N>", "pixels of an image that is sent, at most").default(MAX_PIXELS))
    .addOption(shared.number("--price-prompt <P>", "price of a million prompt tokens, for the data card", { least: 0 }))
    .addOption(
      shared.number("--price-completion <P>", "price of a million completion tokens, for the data card", { least: 0 }),
    )
    .addOption(shared.out("folder (default: data/runs/cot-BENCHMARK)"))
    .addOption(new Option("--cache <DIR>", "folder of the answers (default: cache in --out)"))
    .addOption(shared.onBadRow())
    .addOption(shared.json());

export type CotOptions = OptionsOf<typeof command>;

export const examples = [
  "cot --benchmark pet --endpoint http://127.0.0.1:8000/v1 --model-name Qwen/Qwen2.5-VL-32B-Instruct --limit 20",
  "cot --benchmark ./photographs --kind mushroom --endpoint https://api.example.org/v1 --model-name teacher --out data/runs/cot-mushrooms",
];

/** `plan`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseCounts, parseNames, parsePrices } from "../values";

export const command = () =>
  new Command("plan")
    .summary("memory, hours and price of a run, before it")
    .description(
      "What SFT and RL of a scale would hold with a checkpoint, before any of it is loaded; exit code 1 where it does not fit. With --size, --device or --subcategories: tokens, operations, hours and price of each stage (docs/planning.md).",
    )
    .addOption(shared.model())
    .addOption(shared.adapter())
    .addOption(shared.scale())
    .addOption(shared.set())
    .addOption(shared.count("--max-pixels <N>", "pixels of an image, at most (default: the stage's setting)"))
    .addOption(shared.count("--text-tokens <N>", "tokens of a prompt's text").default(256))
    .addOption(shared.memory())
    .addOption(
      new Option("--size <NAMES>", "published sizes in place of --model: 3B, 7B, 32B, 72B, with commas").argParser(
        parseNames,
      ),
    )
    .addOption(
      new Option("--subcategories <N,N>", "how many, seen and unseen; several with commas (default: 755)").argParser(
        parseCounts,
      ),
    )
    .addOption(
      new Option(
        "--device <NAMES>",
        "devices, with commas: cpu-amx, cpu-avx512, a100, l40s, h100, h200, b200 (default: h100)",
      ).argParser(parseNames),
    )
    .addOption(shared.count("--devices <N>", "how many of them share the work (default: the fewest that hold it)"))
    .addOption(
      new Option("--engine <WHOSE>", "this project's code, or TRL and vLLM, which were not measured here")
        .choices(["here", "elsewhere"])
        .default("here" as const),
    )
    .addOption(shared.number("--price <USD>", "an hour of a device (default: docs/planning.md)", { least: 0 }))
    .addOption(
      new Option("--teacher-size <SIZE>", "size of the teacher, which runs on the same devices")
        .choices(["3B", "7B", "32B", "72B"])
        .default("32B" as const),
    )
    .addOption(
      new Option(
        "--teacher-price <USD,USD>",
        "the teacher is an endpoint that costs so much a million tokens read, written",
      ).argParser(parsePrices),
    )
    .addOption(shared.count("--response-tokens <N>", "tokens of a response, in the mean").default(750))
    .addOption(shared.count("--rows <N>", "responses that another engine decodes together").default(128))
    .addOption(new Option("--calibration", "what speeds are fitted to, and their errors on times held out"))
    .addOption(shared.json());

export type PlanOptions = OptionsOf<typeof command>;

export const examples = [
  "plan --model models/Qwen2.5-VL-3B-Instruct --scale paper --memory 80",
  "plan --model models/Qwen2.5-VL-3B-Instruct --scale paper --set lora.rank=16",
  "plan --size 3B,72B --subcategories 6,755,10000 --device h100,l40s --engine elsewhere",
  "plan --calibration",
];

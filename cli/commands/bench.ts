/** `bench`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";
import { parseNames } from "../values";

export const command = () =>
  new Command("bench")
    .summary("speed against PyTorch, transformers, TRL and jax-js")
    .description("Measures this project and others on the same work, and writes the results and the README's table.")
    .addOption(
      new Option("--only <NAMES>", "cases, separated by commas (default: all)").argParser((text: string): string[] =>
        parseNames(text),
      ),
    )
    .addOption(shared.count("--rounds <N>", "times that both sides are measured (default: the case's)"))
    .addOption(new Option("--list", "lists the cases, and does nothing else").default(false))
    .addOption(new Option("--growth", "measures how time and memory grow with the work").default(false));

export type BenchOptions = OptionsOf<typeof command>;

export const examples = ["bench --list", "bench --only train-step --rounds 5"];

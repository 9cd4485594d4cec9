/** `refresh`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";

export const command = () =>
  new Command("refresh")
    .summary("the main job, then figures/, the notebooks' outputs and the documents' results made anew")
    .description(
      "Runs the main job and what is published beside it, copies its figures to figures/ and its notebooks' outputs to notebooks/ (both under git), then writes the results blocks of README.md and docs/results.md.",
    )
    .addOption(new Option("--readme-only", "only writes the README's results, from figures/").default(false));

export type RefreshOptions = OptionsOf<typeof command>;

export const examples = ["refresh", "refresh --readme-only"];

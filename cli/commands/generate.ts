/** `generate`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("generate")
    .summary("what a checkpoint says to a prompt with images")
    .description(
      "Streams the response's text. What is not given comes from the checkpoint's generation_config.json. --json prints prompt_token_ids, image_grid_thw, token_ids, log_probs and text on one line.",
    )
    .addOption(shared.model().makeOptionMandatory())
    .addOption(shared.adapter())
    .addOption(new Option("--prompt <TEXT>", "the user's message").makeOptionMandatory())
    .addOption(shared.maxNewTokens().makeOptionMandatory())
    .addOption(shared.repeated("--image <FILE>", "an image before the prompt").default([] as string[], "none"))
    .addOption(new Option("--system <TEXT>", "the system message"))
    .addOption(shared.number("--temperature <T>", "sampling temperature; 0: greedy", { least: 0 }))
    .addOption(shared.number("--top-p <P>", "sum of the probabilities that are sampled from", { above: 0, most: 1 }))
    .addOption(shared.count("--top-k <K>", "tokens that are sampled from; 0: all", 0))
    .addOption(shared.repetitionPenalty())
    .addOption(shared.seed())
    .addOption(shared.dtype())
    .addOption(shared.precision())
    .addOption(new Option("--ignore-eos", "goes on after the end of the response").default(false))
    .addOption(shared.json());

export type GenerateOptions = OptionsOf<typeof command>;

export const examples = [
  "generate --model models/Qwen2.5-VL-3B-Instruct --image bird.jpg --prompt 'Which bird is this?' --max-new-tokens 256",
];

/** `serve`: its options. */
import { Command, Option } from "@commander-js/extra-typings";
import type { OptionsOf } from "../definition";
import * as shared from "../options";

export const command = () =>
  new Command("serve")
    .summary("a checkpoint behind OpenAI's protocol on 127.0.0.1, to try and to test")
    .description(
      "Answers chat completions with images (data URLs) at http://127.0.0.1:PORT/v1 until Ctrl-C, many requests in one decoding batch. For trying and testing; vLLM is for load (docs/serving.md). Where FINE_R1_SERVE_KEY is set, requests need it as their API key.",
    )
    .addOption(shared.model().makeOptionMandatory())
    .addOption(shared.adapter())
    .addOption(
      shared
        .number("--port <N>", "port of 127.0.0.1; 0: one that is free", { whole: true, least: 0, most: 65_535 })
        .default(8000),
    )
    .addOption(new Option("--model-name <NAME>", "the model's name in requests (default: the folder's name)"))
    .addOption(shared.count("--slots <N>", "answers that are decoded at once").default(8))
    .addOption(shared.maxNewTokens().default(2048))
    .addOption(shared.count("--max-context <N>", "tokens of prompt and response together, at most").default(8192))
    .addOption(shared.count("--max-answers <N>", "answers of a request (n), at most").default(128))
    .addOption(shared.number("--max-body <MIB>", "size of a request, at most", { above: 0, most: 1024 }).default(32))
    .addOption(
      shared
        .number("--max-held <MIB>", "size of all requests that wait or are answered, at most", {
          above: 0,
          most: 2 ** 20,
        })
        .default(512),
    )
    .addOption(shared.count("--max-image-pixels <N>", "pixels of an image as it is sent, at most").default(40_000_000))
    .addOption(
      new Option(
        "--weights <DIR>",
        "folder whose sub-folders (adapters, or checkpoints of the same model) may be put in place by POST /v1/reload; none without it",
      ),
    )
    .addOption(shared.dtype())
    .addOption(shared.precision());

export type ServeOptions = OptionsOf<typeof command>;

export const examples = [
  "serve --model data/base",
  "serve --model models/Qwen2.5-VL-3B-Instruct --adapter data/runs/paper/adapters/tapo --port 8000",
];

/** The commands of `npm run -s fine-r1 -- COMMAND`; each is loaded only when it is asked for. */

export interface CommandModule {
  /** Runs with the arguments after the command's name; returns the exit code. */
  run(args: string[]): Promise<number>;
}

export interface Command {
  name: string;
  summary: string;
  load(): Promise<CommandModule>;
}

export const commands: Command[] = [
  {
    name: "run",
    summary: "the main job: all notebooks, the table, the figures [--scale NAME] [--run NAME]",
    load: () => import("./run"),
  },
  {
    name: "doctor",
    summary: "engine, device, versions, threads and measured speed (--json)",
    load: () => import("./doctor"),
  },
  {
    name: "notebooks",
    summary: "runs notebooks headless [FILE…] [--scale NAME] [--run NAME] [--verbose]",
    load: () => import("./notebooks"),
  },
  {
    name: "table",
    summary: "the results table again, from saved predictions [--run NAME]",
    load: () => import("./table"),
  },
  {
    name: "score",
    summary: "scores a predictions file without a model --predictions FILE --setting closed|open [--json]",
    load: () => import("./score"),
  },
  {
    name: "data",
    summary: "the image sets on disk, the rows of a file: data check [SET] [--root DIR] [--decode] | data rows FILE",
    load: () => import("./data"),
  },
  {
    name: "cot",
    summary:
      "Stage-1 records by a teacher over the OpenAI protocol --set NAME|--folder DIR --base-url URL --model NAME",
    load: () => import("./cot"),
  },
  {
    name: "triplets",
    summary: "Stage-2 parquet of any image set --set NAME|--folder DIR --embedding model|onnx|names [--model DIR]",
    load: () => import("./triplets"),
  },
  {
    name: "sft",
    summary:
      "Stage 1 on a checkpoint directory and photographs --model DIR --data RECORDS.json… [--images DIR] [--out DIR] [--save-steps N]",
    load: () => import("./sft"),
  },
  {
    name: "rl",
    summary:
      "Stage 2 on a checkpoint directory and photographs --model DIR --data TRIPLETS.parquet… [--method tapo] [--out DIR] [--save-steps N]",
    load: () => import("./rl"),
  },
  {
    name: "questions",
    summary:
      "closed questions of an image set, distractors by an embedding --set NAME --embedding model|onnx|names [--model DIR]",
    load: () => import("./questions"),
  },
  {
    name: "evaluate",
    summary:
      "answers of a model, adapter or endpoint on any set --model DIR|--endpoint URL --set NAME|FILE.jsonl --setting closed|open",
    load: () => import("./evaluate"),
  },
  {
    name: "generate",
    summary:
      "what a checkpoint says to a prompt with images --model DIR --prompt TEXT --max-new-tokens N [--image FILE]… [--json]",
    load: () => import("./generate"),
  },
  {
    name: "plan",
    summary: "the memory a run would need --model DIR --scale paper|default [--adapter] [--memory GIB]",
    load: () => import("./plan"),
  },
  {
    name: "contrastive",
    summary: "the CLIP-style baseline on the shipped data: trained, evaluated, published [--steps N] [--run NAME]",
    load: () => import("./contrastive"),
  },
  {
    name: "probe",
    summary:
      "features, name knowledge and other questions before and after training [--methods base,sft,tapo] [--run NAME]",
    load: () => import("./probe"),
  },
  {
    name: "zero-shot",
    summary:
      "CLIP or SigLIP from a local ONNX directory on any set --model DIR --set NAME|FILE.jsonl --setting closed|open [--install]",
    load: () => import("./zero-shot"),
  },
  {
    name: "ablations",
    summary:
      "variants of the experiment over seeds, their table and figures [--only NAME,…] [--seeds 0,1,2] [--role dev|test] [--list]",
    load: () => import("./ablations"),
  },
  {
    name: "refresh",
    summary: "the main job, then figures and the README's table made anew",
    load: () => import("./refresh"),
  },
  {
    name: "profile",
    summary: "where the time goes: profile sft|rollout|tapo [--steps N] [--json]",
    load: () => import("./profile"),
  },
  {
    name: "bench",
    summary: "speed against PyTorch, transformers, TRL and jax-js [--only NAME,…] [--rounds N] [--list] [--growth]",
    load: () => import("./bench"),
  },
  {
    name: "gpu-check",
    summary: "engine tests, parity fixtures and profiles on a GPU, and a report; skipped where there is none",
    load: () => import("./gpu-check"),
  },
  {
    name: "pretrain",
    summary: "trains the tiny base from nothing [--steps N] [--out DIR] [--seed N]",
    load: () => import("./pretrain"),
  },
];

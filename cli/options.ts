/**
 * Options that several commands share, each declared once: same name, same meaning, same range everywhere. Options are
 * made anew at each call, since the program that takes them holds their values.
 */
import { Option, type Command, type OptionValues } from "@commander-js/extra-typings";
import type { Precision } from "../lib/engine/precision";
import type { Scale } from "../lib/experiment/settings";
import type { OnBadRow } from "../lib/util/lines";
import { rayFault } from "./ray-options";
import {
  collect,
  collectSetting,
  describeRange,
  parseNumber,
  parseRayAddress,
  parseRayStore,
  parseRunName,
  type NumberRange,
  UsageError,
} from "./values";

/**
 * Scales of settings. Here and below, literals stand for lists of modules that load TensorFlow: help must not wait for
 * it.
 */
export const SCALES = ["smoke", "default", "paper"] as const satisfies readonly Scale[];
export const FLOAT_TYPES = ["auto", "float32", "bfloat16"] as const satisfies readonly Precision[];
const ON_BAD_ROW = ["stop", "skip"] as const satisfies readonly OnBadRow[];

/** An option that is a number; its range stands in the help. */
export const number = <const Flags extends string>(flags: Flags, description: string, range: NumberRange = {}) =>
  new Option(flags, `${description}; ${describeRange(range)}`).argParser((text: string): number =>
    parseNumber(text, range),
  );

/** An option that counts something. */
export const count = <const Flags extends string>(flags: Flags, description: string, least = 1) =>
  number(flags, description, { whole: true, least });

/** An option that can be given several times. */
export const repeated = <const Flags extends string>(flags: Flags, description: string) =>
  new Option(flags, `${description}; can be repeated`).argParser(collect);

// who answers, or is trained

export const model = () =>
  new Option("--model <DIR>", "directory of a checkpoint: config.json, weights, tokenizer, preprocessor");
/** The same as the setting `model`. */
export const settingModel = () => {
  const option = model();
  option.description += " (default: the setting model)";
  return option;
};
export const adapter = () => new Option("--adapter <DIR>", "directory of a LoRA adapter (PEFT's files) for --model");
export const dtype = () =>
  new Option("--dtype <TYPE>", "how weights are held; auto: as they are stored")
    .choices(FLOAT_TYPES)
    .default("auto" as const);
export const precision = () =>
  new Option("--precision <TYPE>", "what matrix products are computed in; auto: bfloat16 where the device has it")
    .choices(FLOAT_TYPES)
    .default("float32" as const);
export const maxNewTokens = () => count("--max-new-tokens <N>", "tokens of a response, at most");
export const repetitionPenalty = () =>
  number("--repetition-penalty <R>", "penalty of tokens that stand there already (default: the checkpoint's)", {
    above: 0,
  });

/** Options of an endpoint that speaks OpenAI's protocol. */
export const withEndpoint = <Args extends unknown[], Opts extends OptionValues>(command: Command<Args, Opts>) =>
  command
    .addOption(new Option("--endpoint <URL>", "base URL of an OpenAI-compatible server; its key is OPENAI_API_KEY"))
    .addOption(new Option("--model-name <NAME>", "the model's name at --endpoint"))
    .addOption(count("--concurrency <N>", "requests at a time").default(4))
    .addOption(number("--requests-per-minute <N>", "requests a minute at most; 0: no limit", { least: 0 }).default(0))
    .addOption(count("--retries <N>", "times a failed request is sent again", 0).default(6))
    .addOption(number("--timeout <S>", "seconds that an answer may take", { above: 0 }).default(300));

// what about

const BENCHMARKS =
  "emoji-fgvr, emoji-study-dev, one of the six sets, grocery, the name of a folder in --sets, or a folder of images; several: NAME+NAME";
export const benchmark = () =>
  new Option("--benchmark <NAME|FOLDER>", `${BENCHMARKS} (default: the setting benchmark)`);
export const benchmarkOrFile = () =>
  new Option(
    "--benchmark <NAME|FOLDER|FILE>",
    `${BENCHMARKS}; or a file of questions that ends in .jsonl (default: the setting benchmark)`,
  );
export const sets = () =>
  new Option("--sets <DIR>", "folder of all image sets, each in a sub-folder of its name (default: data/sets)");
export const images = () => new Option("--images <DIR>", "folder that the image paths of rows count from");
export const question = () => new Option("--question <TEXT>", "what is asked (default: the benchmark's question)");
export const split = () =>
  new Option("--split <SIDE>", "sub-categories of which side")
    .choices(["seen", "unseen", "both"])
    .default("both" as const);
export const setting = (needed = "") =>
  new Option("--setting <WORLD>", `closed world (options are given) or open world${needed}`).choices([
    "closed",
    "open",
  ]);
export const optionOrder = () =>
  new Option("--option-order <ORDER>", "order of options: by a seed a row, or the truth first as in the released rows")
    .choices(["shuffled", "released"])
    .default("shuffled" as const);
export const role = (unset = "") =>
  new Option("--role <ROLE>", `whose images: dev while something is chosen, test for what is reported${unset}`).choices(
    ["dev", "test"],
  );
export const shots = (least = 1) => count("--shots <N>", "training images of each sub-category", least).default(4);
export const similarity = () =>
  new Option(
    "--similarity <names|model|DIR>",
    "how alike sub-categories are: names (spelling), model (vision tower of --model), or the directory of a CLIP or SigLIP model in ONNX (default: the setting similarity)",
  );
export const limit = () => count("--limit <N>", "a sample of so many; 0: all", 0).default(0);

// how

export const seed = () => count("--seed <N>", "seed of all that is drawn (default: the setting seed)", 0);
export const scale = () =>
  new Option(
    "--scale <NAME>",
    "values of all settings (default: FINE_R1_SCALE, else default; paper for a model that is not the shipped base)",
  ).choices(SCALES);
export const run = () =>
  new Option(
    "--run <NAME>",
    "name of the run, whose folder is data/runs/NAME (default: FINE_R1_RUN, else one that the settings give)",
  ).argParser(parseRunName);
export const set = () =>
  new Option("--set <NAME=VALUE>", "changes a setting, see docs/settings.md; can be repeated")
    .argParser(collectSetting)
    .default([] as string[], "none");
export const teacher = () =>
  new Option(
    "--teacher <self|URL|FILE>",
    "who writes the rationales: the model itself, an OpenAI-compatible server, or a file of records (default: the setting teacher)",
  );
export const onBadRow = () =>
  new Option(
    "--on-bad-row <WHAT>",
    "at a row or image that cannot be used: stop, or skip it and count it (exit code 2)",
  )
    .choices(ON_BAD_ROW)
    .default("stop" as const);
/** The same as the setting `onBadRow`. */
export const settingOnBadRow = () =>
  new Option(
    "--on-bad-row <WHAT>",
    "at a row or image that cannot be used: stop, or skip it and count it (exit code 2) (default: the setting onBadRow)",
  ).choices(ON_BAD_ROW);

// what is left

export const out = (description: string) => new Option("--out <PATH>", description);
export const restart = () => new Option("--restart", "begins anew where --out is there already").default(false);
export const json = () => new Option("--json", "prints JSON").default(false);
export const memory = () =>
  number("--memory <GIB>", "memory of the device, GiB (default: this machine's)", { above: 0 });

// where: on a Ray cluster (docs/cluster.md)

/** Options of commands whose work can be spread. */
export const withRay = <Args extends unknown[], Opts extends OptionValues>(command: Command<Args, Opts>) =>
  command
    .addOption(
      new Option(
        "--ray <ADDRESS>",
        "spreads the work over a Ray cluster, by the address of its dashboard; its token is RAY_AUTH_TOKEN (docs/cluster.md)",
      ).argParser((text: string): string => parseRayAddress(text)),
    )
    .addOption(new Option("--ray-root <DIR>", "this project's folder on the nodes (default: the same path as here)"))
    .addOption(
      new Option(
        "--ray-store <URL>",
        "a folder of an object store (s3://…, gs://…) or file://… in place of a shared data/runs; backends read their keys from the environment",
      ).argParser((text: string): string => parseRayStore(text)),
    )
    .addOption(
      count("--ray-store-every <S>", "seconds after which a running task's files are put into --ray-store").default(60),
    )
    .addOption(count("--ray-cpus <N>", "cores of a task").default(1))
    .addOption(count("--ray-gpus <N>", "GPUs of a task", 0).default(0))
    .addOption(count("--ray-retries <N>", "times a task whose worker or node died is started again", 0).default(3))
    .addOption(
      count(
        "--ray-wait <S>",
        "seconds to wait for a node that has the cores and GPUs of a task, as a cluster that scales itself has none at first",
        0,
      ).default(300),
    )
    .addOption(new Option("--install-ray", "installs Ray into .venv-ray, and does nothing else").default(false))
    .addOption(new Option("--ray-task <STEP>", "what a task of --ray does").hideHelp())
    .hook("preAction", (own) => {
      const fault = rayFault((name) => own.getOptionValueSource(name as never) === "cli");
      if (fault !== null) throw new UsageError(fault);
    });

/** Into how many parts rows are cut. */
export const rayParts = () => count("--ray-parts <N>", "tasks of --ray, at most").default(4);

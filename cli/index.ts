/** The commands in the order of the help; what a command does is loaded only when it runs. */
import * as ablations from "./commands/ablations";
import * as bench from "./commands/bench";
import * as contrastive from "./commands/contrastive";
import * as study from "./commands/study";
import * as cot from "./commands/cot";
import * as data from "./commands/data";
import * as doctor from "./commands/doctor";
import * as evaluate from "./commands/evaluate";
import * as exporting from "./commands/export";
import * as generate from "./commands/generate";
import * as gpuCheck from "./commands/gpu-check";
import * as importing from "./commands/import";
import * as notebooks from "./commands/notebooks";
import * as plan from "./commands/plan";
import * as predictions from "./commands/predictions";
import * as pretrain from "./commands/pretrain";
import * as probe from "./commands/probe";
import * as profile from "./commands/profile";
import * as questions from "./commands/questions";
import * as refresh from "./commands/refresh";
import * as replay from "./commands/replay";
import * as rl from "./commands/rl";
import * as run from "./commands/run";
import * as score from "./commands/score";
import * as serve from "./commands/serve";
import * as sft from "./commands/sft";
import * as table from "./commands/table";
import * as triplets from "./commands/triplets";
import * as zeroShot from "./commands/zero-shot";
import { define, group, type Definition, type Group } from "./definition";

/** Commands under a title. */
export interface Section {
  title: string;
  entries: readonly (Definition | Group)[];
}

export const sections: readonly Section[] = [
  {
    title: "The shipped experiment",
    entries: [
      define(run, () => import("./run")),
      define(notebooks, () => import("./notebooks")),
      define(table, () => import("./table")),
      define(ablations, () => import("./ablations")),
      define(probe, () => import("./probe")),
      define(contrastive, () => import("./contrastive")),
      define(study, () => import("./study")),
      define(refresh, () => import("./refresh")),
      define(pretrain, () => import("./pretrain")),
    ],
  },
  {
    title: "Data",
    entries: [
      group("data", "what of the image sets is on disk, and whether the rows of a file can be used", [
        define(data.check, async () => ({ run: (await import("./data")).check })),
        define(data.rows, async () => ({ run: (await import("./data")).rows })),
      ]),
      define(cot, () => import("./cot")),
      define(triplets, () => import("./triplets")),
      define(questions, () => import("./questions")),
    ],
  },
  {
    title: "Training and models",
    entries: [
      define(plan, () => import("./plan")),
      define(sft, () => import("./sft")),
      define(rl, () => import("./rl")),
      define(exporting, () => import("./export")),
      define(importing, () => import("./import")),
      define(replay, () => import("./replay")),
      define(generate, () => import("./generate")),
      define(serve, () => import("./serve")),
    ],
  },
  {
    title: "Evaluation",
    entries: [
      define(evaluate, () => import("./evaluate")),
      define(zeroShot, () => import("./zero-shot")),
      define(score, () => import("./score")),
      define(predictions, () => import("./predictions")),
    ],
  },
  {
    title: "This installation",
    entries: [
      define(doctor, () => import("./doctor")),
      define(profile, () => import("./profile")),
      define(bench, () => import("./bench")),
      define(gpuCheck, () => import("./gpu-check")),
    ],
  },
];

/** The README of an export. */
import type { Experiment } from "../experiment/types";
import { escapeMarkdown } from "../report/escape-markdown";
import type { Exported } from "./types";

const list = (items: readonly string[]): string => items.map((item) => `- ${item}\n`).join("");

/** How training is started, what is done otherwise, and how results come back. */
export function readme({ settings, benchmark }: Experiment, exported: Exported, gpus: number): string {
  const { title, needs, steps, differences, contents } = exported;
  const devices = gpus === 1 ? "one GPU" : `${gpus} GPUs`;
  const commands = steps.map(({ what, command }) => `    # ${what}\n    ${command}\n`).join("\n");
  return `# ${escapeMarkdown(benchmark.title)}: Fine-R1 with ${title}

Written by \`fine-r1 export\` from run \`${settings.run}\`, for ${devices}. Hyper-parameters are those of its settings
(\`export.json\` has them all).

Needs ${needs}. In this folder:

${commands}
## What is here

${list(contents.map(([name, what]) => `\`${name}\`: ${what}`))}
## What ${title} does otherwise

${list(differences)}
## Back again

    fine-r1 import FOLDER --run NAME --method METHOD

takes the checkpoint or adapter that training left in FOLDER, and its log, into a run's folder; it then says how to
evaluate it.
`;
}

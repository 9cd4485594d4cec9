/** Stage-2 prompts of a run for other engines. */
import { assertTrainable } from "../benchmark/roles";
import { rlPrompts, tripletsOf } from "../experiment/rl";
import { promptsOfFile } from "../experiment/triplet-files";
import type { Experiment } from "../experiment/types";
import type { RlPrompt } from "../rollout/groups";
import type { ImageToExport } from "./images";

/** Where a format prompt takes the problem. */
const CONTENT = "{{ content | trim }}";

/** A prompt with its images. */
export interface ExportedPrompt {
  /** What is asked, options and all, without the instruction on the format. */
  problem: string;
  /** The whole user turn after the image. */
  user: string;
  groundTruth: string;
  /** Key of the names that an answer could have. */
  domain: string;
  /** By the run's names; each in the anchor's size. */
  anchor: { name: string; source: ImageToExport };
  positive: { name: string; source: ImageToExport };
  negative: { name: string; source: ImageToExport };
}

/** Prompts, and the names of each domain. */
export interface ExportedPrompts {
  prompts: ExportedPrompt[];
  names: Record<string, readonly string[]>;
}

/** The instruction on the format, as a Jinja template of the problem. */
export const formatPrompt = ({ prompts }: Pick<Experiment, "prompts">): string => prompts.stage2(CONTENT);

/** The problem that a user turn is made of: the turn without the instruction. @throws Error where it is none */
export function problemOf({ user }: Pick<RlPrompt, "user">, experiment: Pick<Experiment, "prompts">): string {
  const [before, after] = formatPrompt(experiment).split(CONTENT);
  if (!user.startsWith(before) || !user.endsWith(after))
    throw new Error(`export: ${JSON.stringify(user)} does not have the form of the Stage-2 prompts`);
  return user.slice(before.length, user.length - after.length);
}

/** Keys for lists of names, equal lists under one. */
function domainKeys(): { names: Record<string, readonly string[]>; keyOf(list: readonly string[]): string } {
  const names: Record<string, readonly string[]> = {};
  const known = new Map<string, string>();
  return {
    names,
    keyOf: (list) => {
      const text = JSON.stringify(list);
      if (!known.has(text)) {
        known.set(text, `domain-${known.size + 1}`);
        names[known.get(text)!] = list;
      }
      return known.get(text)!;
    },
  };
}

/** The prompts of the run's own triplets, each of which has two. */
async function ownPrompts(experiment: Experiment): Promise<{ prompt: RlPrompt; images: ImageToExport[] }[]> {
  const { benchmark } = experiment;
  const triplets = await tripletsOf(experiment);
  assertTrainable(
    benchmark,
    triplets.flatMap(({ anchor, positive, negative }) => [anchor.id, positive.id, negative.id]),
  );
  const prompts = await rlPrompts(experiment);
  const each = prompts.length / triplets.length;
  return prompts.map((prompt, i) => {
    const { anchor, positive, negative } = triplets[Math.floor(i / each)];
    if (anchor.id !== prompt.anchor) throw new Error(`export: prompt ${i} is not of its triplet's anchor ${anchor.id}`);
    const images = benchmark.squares
      ? [anchor, positive, negative].map(({ id }) => ({ square: id }))
      : [anchor.file!, ...[positive, negative].map(({ file }) => ({ file: file!, like: anchor.file! }))];
    return { prompt, images };
  });
}

/**
 * The prompts that this run's Stage 2 trains on: of its own triplets, or of the file that `triplets` names.
 * @throws Error naming what cannot be used
 */
export async function stage2Prompts(experiment: Experiment): Promise<ExportedPrompts> {
  const { settings, benchmark } = experiment;
  let rows: { prompt: RlPrompt; images: ImageToExport[] }[];
  if (settings.triplets === "own") rows = await ownPrompts(experiment);
  else if (benchmark.squares)
    throw new Error(
      `triplets=${settings.triplets}: ${benchmark.name} is of equal squares; its triplets are its own, leave the setting out`,
    );
  else {
    const { prompts, images } = await promptsOfFile(experiment);
    rows = prompts.map((prompt) => ({
      prompt,
      images: [prompt.anchor, prompt.positive, prompt.negative].map((name) => images.get(name)!),
    }));
  }
  const { names, keyOf } = domainKeys();
  const prompts = rows.map(({ prompt, images: [anchor, positive, negative] }): ExportedPrompt => ({
    problem: problemOf(prompt, experiment),
    user: prompt.user,
    groundTruth: prompt.groundTruth,
    domain: keyOf(prompt.domainNames),
    anchor: { name: prompt.anchor, source: anchor },
    positive: { name: prompt.positive, source: positive },
    negative: { name: prompt.negative, source: negative },
  }));
  return { prompts, names };
}

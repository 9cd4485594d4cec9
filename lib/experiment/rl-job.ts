/** Stage 2 on files: rows of the release's parquet, an anchor with its positive and negative each. */
import { createHash } from "node:crypto";
import type { PromptSet } from "../benchmark/prompts";
import type { Stage2Row } from "../formats/stage2";
import { foldIn } from "../util/random";
import { modelCard } from "./model-card";
import type { RlPrompt } from "../rollout/groups";
import { trainRl, type RlLog, type RlMethod } from "../train/rl";
import { limitsOf, openJob, runJob, withoutDropout, type Finished, type Job } from "./job";

/** What RL is told besides its job. */
export interface RlJob extends Job {
  method: RlMethod;
  rows: readonly Stage2Row[];
}

const MARKER = "<image>";
const ROLES = ["anchor", "positive", "negative"] as const;

/** Name of an image of a row among the images of a run. */
const imageName = (row: number, role: (typeof ROLES)[number]): string => `row ${row}, ${role}`;

/**
 * Rows as prompts. The sub-categories of a row's domain (for the strict reward and the listing check) are the answers to the same problem.
 * @throws Error naming the row whose problem does not begin with its image
 */
export function promptsOf(rows: readonly Stage2Row[], prompts: Pick<PromptSet, "stage2">): RlPrompt[] {
  const names = new Map<string, Set<string>>();
  for (const { problem, answer } of rows) names.set(problem, (names.get(problem) ?? new Set()).add(answer));
  return rows.map(({ problem, answer }, row) => {
    if (!problem.startsWith(MARKER) || problem.includes(MARKER, MARKER.length))
      throw new Error(
        `row ${row}: the problem does not begin with its one ${MARKER}; the image has to come before the text`,
      );
    const [anchor, positive, negative] = ROLES.map((role) => imageName(row, role));
    return {
      anchor,
      positive,
      negative,
      user: prompts.stage2(problem.slice(MARKER.length)),
      groundTruth: answer,
      options: null,
      domainNames: [...names.get(problem)!],
    };
  });
}

/**
 * Trains by one RL method and saves the result in `job.out`.
 * @throws Error naming the row, file or setting that is wrong
 */
export function rlOnTriplets(job: RlJob): Promise<Finished<RlLog>> {
  const { settings, method, rows } = job;
  const images = new Map(rows.flatMap((row, i) => ROLES.map((role) => [imageName(i, role), row[role].bytes] as const)));
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const data = {
    method,
    rows: rows.map((row) => [row.problem, row.answer, ...ROLES.map((role) => digest(row[role].bytes))]),
  };
  return runJob<RlLog>(
    job,
    method,
    data,
    () => openJob(job, images, limitsOf(settings.rl)),
    (stamp, parameters, steps) =>
      modelCard({
        method,
        settings: { ...settings, model: job.model },
        stamp,
        parameters,
        images: `${rows.length} images of ${new Set(rows.map(({ answer }) => answer)).size} sub-categories`,
        steps,
      }),
    ({ bench, params, bf16, prompts }, checkpointing, write) =>
      trainRl(withoutDropout(params), bench, settings.rl, {
        method,
        prompts: promptsOf(rows, prompts),
        seed: foldIn(settings.seed, "rl"),
        bf16,
        checkpointing,
        donateInitial: true,
        onStep: (log, total) => {
          write(log);
          return job.onStep?.(
            log.step,
            total,
            `reward ${log.reward.toFixed(3)}, format ${log.format.toFixed(2)}, kept ${(100 * log.kept).toFixed(0)} %`,
          );
        },
      }),
  );
}

/** `profile sft|rollout|tapo`: where the time of a training step, of sampling or of a TAPO step goes. */
import { namedDrawings, namingConversations } from "../lib/cot/corpus";
import { engineStats } from "../lib/engine/compile";
import { profile, type Profile } from "../lib/engine/profile";
import { foldIn, random } from "../lib/util/random";
import { tf } from "../lib/engine/tensorflow";
import { disposeTree } from "../lib/engine/tree";
import { openExperiment } from "../lib/experiment/open";
import { rlPrompts } from "../lib/experiment/rl";
import type { Experiment } from "../lib/experiment/types";
import { conversationRow } from "../lib/processor/conversation";
import { loadSettings } from "../lib/experiment/load-settings";
import { trainRl } from "../lib/train/rl";
import { sampleGroups } from "../lib/train/rl-rollouts";
import { trainSft } from "../lib/train/sft";
import type { ProfileOptions, WORK } from "./commands/profile";
import { print, printJson, snakeCase } from "./output";

/** What a piece of work got done, in tokens by their kind. */
type Tokens = Record<string, number>;

/** Steps of SFT on rationales of the pre-training corpus (the shipped records have the same form and length). */
async function sft(experiment: Experiment, steps: number): Promise<Tokens> {
  const { settings, benchmark, bench, base } = experiment;
  const knowledge = benchmark.extras?.knowledge ?? [];
  const r = random(foldIn(settings.seed, "profile"));
  const evaluated = knowledge.filter((k) => k.evaluated);
  const conversations = Array.from({ length: steps * settings.sft.batchSize }, () => {
    const truth = r.choice(evaluated);
    return namingConversations(truth, r.choice(namedDrawings(truth)), r).rationale;
  });
  const { params } = await trainSft(
    base,
    bench,
    { ...settings.sft, epochs: 1, replayRows: 0 },
    { conversations, seed: settings.seed, bf16: experiment.bf16 },
  );
  disposeTree(params);
  const rows = conversations.map((c) => conversationRow(c, bench.processor, bench.images.grid(c.image!)));
  return { trained: rows.reduce((n, row) => n + row.inputIds.length, 0) };
}

/** Sampling of `steps` generation batches. */
async function rollout(experiment: Experiment, steps: number): Promise<Tokens> {
  const { settings, bench, base } = experiment;
  const prompts = await rlPrompts(experiment);
  let sampled = 0;
  for (let i = 0; i < steps; i++) {
    const batch = random(foldIn(settings.seed, "profile", i)).sample(prompts, settings.rl.groupsPerGeneration);
    const groups = await sampleGroups(base, bench, batch, {
      settings: settings.rl,
      intra: true,
      seed: foldIn(settings.seed, i),
    });
    sampled += groups.flatMap((g) => g.rollouts).reduce((n, one) => n + one.tokenIds.length, 0);
  }
  return { sampled };
}

/** Whole steps of TAPO: dynamic sampling, old log-probs, updates. */
async function tapo(experiment: Experiment, steps: number): Promise<Tokens> {
  const { settings, bench, base } = experiment;
  const tokens = { sampled: 0, trained: 0 };
  const { params } = await trainRl(
    base,
    bench,
    { ...settings.rl, steps, whenNoGroupSurvives: "keep-all" },
    {
      method: "tapo",
      prompts: await rlPrompts(experiment),
      seed: settings.seed,
      bf16: experiment.bf16,
      onStep: (log, _, groups) => {
        const count = groups.flatMap((g) => g.rollouts).reduce((n, one) => n + one.tokenIds.length, 0);
        tokens.sampled += count;
        tokens.trained += Math.round((count / groups.length) * log.groups);
      },
    },
  );
  disposeTree(params);
  return tokens;
}

const RUNS: Record<(typeof WORK)[number], (experiment: Experiment, steps: number) => Promise<Tokens>> = {
  sft,
  rollout,
  tapo,
};

/** Lines of the printed profile: the first run (with its traces), then the measured one. */
function describe(name: string, steps: number, first: Profile<Tokens>, again: Profile<Tokens>): string[] {
  const share = (seconds: number): string => `${((100 * seconds) / again.seconds).toFixed(1)} %`;
  const line = (label: string, seconds: number, note = ""): string =>
    `${label.padEnd(24)} ${seconds.toFixed(2).padStart(8)} s ${share(seconds).padStart(8)}  ${note}`.trimEnd();
  const perSecond = Object.entries(again.result).map(
    ([kind, count]) => `${(count / again.seconds).toFixed(0)} ${kind} tokens/s`,
  );
  return [
    `${name}, ${steps} steps: ${again.seconds.toFixed(2)} s, ${(again.seconds / steps).toFixed(3)} s a step, ${perSecond.join(", ")}`,
    ...again.functions.map((f) =>
      line(
        `  ${f.name}`,
        f.seconds,
        `${f.calls} calls, ${((1000 * f.seconds) / Math.max(1, f.calls)).toFixed(2)} ms each`,
      ),
    ),
    ...(again.traceSeconds > 0
      ? [
          line(
            "  tracing new shapes",
            again.traceSeconds,
            again.functions
              .filter((f) => f.traces > 0)
              .map((f) => `${f.name} ${f.traces}`)
              .join(", "),
          ),
        ]
      : []),
    line("  host", again.hostSeconds, "sampling, batches, copies"),
    `in kernels: ${share(again.kernelSeconds)} of the time`,
    `compile time (first run): ${first.traceSeconds.toFixed(2)} s for ${first.functions.reduce((n, f) => n + f.traces, 0)} traces; compiled functions now: ${engineStats().length}`,
    `peak memory of the process: ${(again.peakMemoryBytes / 2 ** 30).toFixed(2)} GiB; tensors held: ${tf.memory().numTensors}`,
  ];
}

/** The profile as `--json` prints it. */
const report = (name: string, steps: number, first: Profile<Tokens>, again: Profile<Tokens>): unknown => {
  const { result: tokens, ...measured } = again;
  const { seconds, traceSeconds } = first;
  return { ...(snakeCase({ name, steps, first: { seconds, traceSeconds }, ...measured }) as object), tokens };
};

export async function run({ steps, scale, set, json }: ProfileOptions, name: (typeof WORK)[number]): Promise<number> {
  const experiment = await openExperiment(loadSettings({ scale, set }));
  const first = await profile(() => RUNS[name](experiment, steps));
  const again = await profile(() => RUNS[name](experiment, steps));
  experiment.close();
  if (json) printJson(report(name, steps, first, again));
  else print(describe(name, steps, first, again).join("\n"));
  return 0;
}

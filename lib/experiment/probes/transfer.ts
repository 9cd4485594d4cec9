/** Short questions that no stage trains on. */
import type { BenchmarkImage, Extras } from "../../benchmark/types";
import type { Params } from "../../engine/tensorflow";
import type { ProbeRow, Probes } from "../../eval/probes";
import { groupRows } from "./samples";

const words = (text: string): string[] =>
  text
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== "");

/**
 * Whether a short answer is right. Colours: the main one comes first; shape: every word; kind: the word; parts: at
 * least half of the true words.
 */
export const SHORT_QUESTIONS: readonly {
  user: string;
  probe: string;
  right: (answer: string, truth: readonly string[]) => boolean;
}[] = [
  { user: "Colors?", probe: "transfer: main colour", right: (answer, [main]) => words(answer)[0] === main },
  {
    user: "Shape?",
    probe: "transfer: shape",
    right: (answer, truth) => truth.every((word) => words(answer).includes(word)),
  },
  { user: "Kind?", probe: "transfer: kind", right: (answer, [kind]) => words(answer).join(" ") === kind },
  {
    user: "Parts?",
    probe: "transfer: parts",
    right: (answer, truth) => 2 * truth.filter((word) => words(answer).includes(word)).length >= truth.length,
  },
];

/**
 * Questions that no stage trains on, which the base was pre-trained to answer: what training cost. The base was never
 * taught to count, so counting is not asked. `chance` is the share that the commonest true answer alone would score (0
 * for parts).
 */
export async function transferProbes(
  method: string,
  probes: Probes,
  params: Params,
  { test, extras }: { test: readonly BenchmarkImage[]; extras: Extras },
): Promise<ProbeRow[]> {
  const known = new Map(extras.knowledge.map((one) => [one.id, one]));
  const truths = await Promise.all(
    test.map(async (image) => {
      const { colors, shape } = await extras.appearance(image);
      const { kind, words: parts } = known.get(image.subcategory.id)!;
      return [colors, shape, [kind], parts];
    }),
  );
  const rows: ProbeRow[] = [];
  for (const [q, { user, probe, right }] of SHORT_QUESTIONS.entries()) {
    const images = test.map(({ id }) => id);
    const answers = await probes.answers(
      params,
      images,
      images.map(() => user),
      24,
    );
    const own = truths.map((truth) => truth[q]);
    const counts = new Map<string, number>();
    for (const truth of own) {
      const key = q === 0 ? truth[0] : truth.join(" ");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const chance = q === 3 ? 0 : Math.max(...counts.values()) / own.length;
    const items = answers.map((answer, i) => {
      const { split } = test[i].subcategory;
      return { probe, split, right: right(answer, own[i]), chance };
    });
    rows.push(...groupRows(method, items));
  }
  return rows;
}

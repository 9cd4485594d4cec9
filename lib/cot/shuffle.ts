/**
 * A control for Stage 1: the same answers to the same questions, but the reasoning of another sub-category before them.
 * If SFT gains as much from these, it is the form that it learns from rationales, not what they say.
 */
import { foldIn, random } from "../util/random";
import type { CotRecord } from "./build";

const THINK = /<think>[\s\S]*<\/think>/;

/** The reasoning of a response, tags included. @throws Error where there is none */
function reasoning({ record }: CotRecord): string {
  const found = THINK.exec(record.assistant);
  if (!found) throw new Error(`${record.image}: its response has no <think>…</think> to shuffle`);
  return found[0];
}

/**
 * The records in their order, each with the reasoning of another one of its domain and setting: of another sub-category
 * where none has more than half of those records, and always of another record where there are two. Every reasoning is
 * used once; questions, images and answers stay.
 */
export function shuffledRationales(
  records: readonly CotRecord[],
  domainOf: ReadonlyMap<string, string>,
  seed: number,
): CotRecord[] {
  const groups = new Map<string, number[]>();
  records.forEach(({ concept, setting }, i) => {
    const key = JSON.stringify([domainOf.get(concept) ?? "", setting]);
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const out = [...records];
  for (const [key, members] of groups) {
    const stream = random(foldIn(seed, key));
    const byConcept = new Map<string, number[]>();
    for (const i of stream.shuffle(members))
      byConcept.set(records[i].concept, [...(byConcept.get(records[i].concept) ?? []), i]);
    const runs = [...byConcept.values()]; // sub-category by sub-category: a turn by the longest run leaves each
    const order = runs.flat();
    const turn = Math.max(...runs.map((run) => run.length)) % order.length || 1;
    order.forEach((i, place) => {
      const other = reasoning(records[order[(place + turn) % order.length]]);
      const { record } = records[i];
      out[i] = { ...records[i], record: { ...record, assistant: record.assistant.replace(THINK, () => other) } };
    });
  }
  return out;
}

/**
 * What the visual words of a model's own analysis are worth: how many are true of the image's sub-category, how the
 * answer depends on that, and whose words they are where the answer is wrong. Nothing is asked of a model.
 */
import type { Concept } from "../../benchmark/emoji-fgvr";
import { parseRationale } from "../../cot/rationale";
import type { PredictionRow } from "../../eval/rows";
import { scoreRow } from "../../eval/score";
import type { TableRow } from "../../report/tables";

/** The words that a sub-category, or what an answer names, is known by; undefined where nothing is known of it. */
export interface KnownWords {
  ofTruth(row: Pick<PredictionRow, "domain" | "ground_truth">): readonly string[] | undefined;
  ofAnswer(name: string): readonly string[] | undefined;
}

/** @param concepts all that have a name; those with a domain are sub-categories */
export function knownWords(concepts: readonly Pick<Concept, "name" | "domain" | "visualWords">[]): KnownWords {
  const byName = new Map(concepts.map(({ name, visualWords }) => [name, visualWords]));
  const truths = new Map(concepts.map(({ domain, name, visualWords }) => [`${domain}/${name}`, visualWords]));
  return {
    ofTruth: ({ domain, ground_truth: name }) => truths.get(`${domain}/${name}`),
    ofAnswer: (name) => byName.get(name),
  };
}

/** Answers by the share of the true words that the analysis has. */
export const SHARES = ["none", "less than half", "half or more", "all"] as const;

/** Shares in [0, 1]; null of nothing. */
export interface OwnWords {
  /** Of the true words, those in the analysis; of the analysis, those that are true. */
  found: number | null;
  right: number | null;
  /** Accuracy where none, less than half, half or more, or all of the true words are in the analysis. */
  accuracy: (number | null)[];
  /** In wrong answers: of the words of the analysis, those of what is answered, and those of the truth. */
  ofAnswer: number | null;
  ofTruth: number | null;
  /** Answers with an analysis whose truth is known in words. */
  n: number;
}

interface Analysed {
  isRight: boolean;
  own: readonly string[];
  truth: readonly string[];
  answer: readonly string[] | undefined;
}

const share = (part: number, of: number): number | null => (of === 0 ? null : part / of);
const common = (a: readonly string[], b: readonly string[]): number => a.filter((word) => b.includes(word)).length;

function placeOf({ own, truth }: Analysed): number {
  const found = common(truth, own);
  if (found === 0) return 0;
  if (found === truth.length) return 3;
  return 2 * found < truth.length ? 1 : 2;
}

/** @param rows a method's answers; those without a rationale in its four parts do not count */
export function ownWords(rows: readonly PredictionRow[], known: KnownWords): OwnWords {
  const all = rows.flatMap((row): Analysed[] => {
    const rationale = parseRationale(row.output);
    const truth = known.ofTruth(row);
    if (!rationale || !truth || truth.length === 0) return [];
    const isRight = scoreRow(row, row.setting).substring;
    return [{ isRight, own: rationale.concepts, truth, answer: known.ofAnswer(rationale.answer) }];
  });
  const total = (value: (one: Analysed) => number, from = all): number =>
    from.reduce((sum, one) => sum + value(one), 0);
  const own = total((one) => one.own.length);
  const truths = total((one) => common(one.truth, one.own));
  const wrong = all.filter(({ isRight, answer }) => !isRight && answer !== undefined);
  const written = total((one) => one.own.length, wrong);
  return {
    found: share(
      truths,
      total((one) => one.truth.length),
    ),
    right: share(
      total((one) => common(one.own, one.truth)),
      own,
    ),
    accuracy: SHARES.map((_, place) => {
      const here = all.filter((one) => placeOf(one) === place);
      return share(here.filter(({ isRight }) => isRight).length, here.length);
    }),
    ofAnswer: share(
      total((one) => common(one.own, one.answer!), wrong),
      written,
    ),
    ofTruth: share(
      total((one) => common(one.own, one.truth), wrong),
      written,
    ),
    n: all.length,
  };
}

const percent = (value: number | null): string => (value === null ? "-" : (100 * value).toFixed(1));

/** One line a method that reasons, in %. */
export function ownWordLines(
  rows: ReadonlyMap<string, readonly PredictionRow[]>,
  names: readonly string[],
  known: KnownWords,
): TableRow[] {
  return names.flatMap((method) => {
    const words = ownWords(rows.get(method) ?? [], known);
    if (words.n === 0) return [];
    return {
      method,
      "true words found": percent(words.found),
      "own words true": percent(words.right),
      ...Object.fromEntries(SHARES.map((name, i) => [`right, ${name} found`, percent(words.accuracy[i])])),
      "wrong: words of the answer": percent(words.ofAnswer),
      "of the truth": percent(words.ofTruth),
    };
  });
}

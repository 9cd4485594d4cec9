/**
 * From Emoji-FGVR to what its concepts look like and may be taken for (`Knowledge`): measured pixels and committed
 * words.
 */
import type { EmojiFgvr } from "./benchmark";
import { domainQuestion } from "./domain-question";
import { loadImages } from "./image";
import { measure } from "./measure";
import type { Concept } from "./types";

/** What is known about one concept, as text. */
export interface Knowledge {
  id: string;
  name: string;
  /** Whether it is a sub-category of the benchmark. */
  evaluated: boolean;
  question: string;
  kind: string;
  /** Usual colour words (measured on pre-training drawings), most frequent first. */
  colors: readonly string[];
  /** Visual words. */
  words: readonly string[];
  /** Concepts it may be taken for, most similar first. */
  neighbours: readonly Knowledge[];
  /** Drawings that pre-training may use, with what was measured on their pixels. */
  drawings: readonly { path: string; colors: readonly string[]; shape: readonly string[] }[];
}

/** Words that most drawings of a concept share, most frequent first; at most three. */
function usual(lists: readonly (readonly string[])[]): string[] {
  const counts = new Map<string, number>();
  for (const list of lists) for (const word of list) counts.set(word, (counts.get(word) ?? 0) + 1);
  const common = [...counts].sort((a, b) => b[1] - a[1]);
  return common
    .filter(([, n], i) => i === 0 || n * 2 > lists.length)
    .slice(0, 3)
    .map(([word]) => word);
}

const overlap = (a: readonly string[], b: readonly string[]): number =>
  a.filter((word) => b.includes(word)).length / Math.max(1, new Set([...a, ...b]).size);

/**
 * What pre-training may know: every concept with its pre-training drawings (none of another role is opened).
 * A sub-category's neighbours are the benchmark's; another concept's are those of its kind, by shared words.
 */
export async function emojiKnowledge(data: EmojiFgvr): Promise<Knowledge[]> {
  const drawingsOf = (concept: Concept): string[] => data.drawings(concept, "pretraining").map((d) => d.path);
  const images = await loadImages(data.concepts.flatMap(drawingsOf));
  type Growing = Omit<Knowledge, "neighbours"> & { neighbours: Knowledge[] };
  const all = data.concepts.map((concept): Growing => {
    const drawings = drawingsOf(concept).map((path) => {
      const { colors, shape } = measure(images.get(path)!, concept.kind === "flag" ? "flag" : "object");
      return { path, colors, shape };
    });
    return {
      id: concept.id,
      name: concept.name,
      evaluated: concept.domain !== null,
      question: concept.domain === null ? `What ${concept.kind} is this?` : domainQuestion(concept.domain),
      kind: concept.kind,
      colors: usual(drawings.map((d) => d.colors)),
      words: concept.visualWords,
      neighbours: [],
      drawings,
    };
  });
  const byId = new Map(all.map((k) => [k.id, k]));
  for (const [i, concept] of data.concepts.entries()) {
    const own = all[i];
    if (concept.domain !== null) own.neighbours = concept.hardNegatives.map((id) => byId.get(id)!);
    else {
      const kin = all.filter((k) => k !== own && !k.evaluated && k.kind === own.kind);
      own.neighbours = kin
        .map((k) => ({ k, score: overlap(k.words, own.words) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, 20)
        .map(({ k }) => k);
    }
  }
  return all;
}

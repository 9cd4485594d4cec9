/**
 * The pre-training corpus of the tiny base: what stands for web data. Every drawing of a pre-training designer comes
 * with a rationale and with a direct answer, equally often (no prompt style is favoured by construction), and with
 * short questions on what is to be seen; text alone ties names to attributes.
 */
import { foldIn, type Random } from "../util/random";
import type { Knowledge } from "../benchmark/emoji-fgvr/knowledge";
import type { Conversation } from "../processor/conversation";
import { drawOptions } from "../benchmark/options";
import { tinyPrompts, type PromptSet } from "../benchmark/prompts";
import { compareCandidates, formatAnswer, formatRationale } from "./rationale";

/** How dialogues are drawn. */
export interface CorpusOptions {
  /** Of descriptions of an image, and of those in words alone. */
  corruption: Corruption;
  textCorruption: Corruption;
  /** Words of a candidate that a comparison names at most; 0 for all (`compareCandidates`). */
  comparedWords: number;
  /**
   * Share of reasoning in words alone whose description is that of something that is no candidate: the answer is the
   * candidate that fits best. A model that never saw such a question names what it was told of, whatever the options.
   */
  judged: number;
  prompts: PromptSet;
}

/**
 * Drawings of a concept that ever come with its name, in rationales and direct answers alike. Others are only
 * described: web data names few of the images that it describes, and a model whose names lag behind its perception has
 * something to deploy by reasoning (the paper's premise, section 1). Infinity names them all.
 */
export const NAMED_DRAWINGS = 1;

/**
 * The drawings of a concept that pre-training, and its replay, may name: `NAMED_DRAWINGS` from a start that varies by
 * concept.
 */
export function namedDrawings({ id, drawings }: Knowledge): Knowledge["drawings"] {
  const start = foldIn(0, "named", id) % Math.max(1, drawings.length);
  return [...drawings.slice(start), ...drawings.slice(0, start)].slice(0, NAMED_DRAWINGS);
}

/**
 * How far descriptions in the corpus differ from the truth: a base that never saw a wrong one trusts its own blindly.
 */
export interface Corruption {
  /** Probability that the words are another concept's altogether. */
  swap: number;
  /** Probability that one word is left out. */
  drop: number;
  /** Probability that one word is replaced by a neighbour's. */
  replace: number;
}

export const defaultCorruption: Corruption = { swap: 0.1, drop: 0.35, replace: 0.25 };

const defaultCorpus: CorpusOptions = {
  corruption: defaultCorruption,
  textCorruption: defaultCorruption,
  comparedWords: 2,
  judged: 0,
  prompts: tinyPrompts,
};

/** A description in random order, corrupted now and then. */
export function corruptWords(truth: Knowledge, random: Random, corruption: Corruption): string[] {
  const neighbours = truth.neighbours.slice(0, 8).filter((n) => n.words.length > 0);
  if (neighbours.length > 0 && random.uniform() < corruption.swap)
    return random.shuffle(random.choice(neighbours).words);
  const words = random.shuffle(truth.words);
  if (words.length > 2 && random.uniform() < corruption.drop) words.pop();
  if (neighbours.length > 0 && words.length > 0 && random.uniform() < corruption.replace) {
    const other = random.choice(random.choice(neighbours).words);
    if (!words.includes(other)) words[random.integer(words.length)] = other;
  }
  return words;
}

/** `count` distinct candidates of one neighbourhood, the truth among them, shuffled. */
export function drawCandidates(truth: Knowledge, count: number, random: Random, near = 8): Knowledge[] {
  return drawOptions(
    truth,
    (concept) => concept.neighbours,
    Math.min(count, truth.neighbours.length + 1),
    near,
    random,
  );
}

/** The rationale of `truth` among `candidates`, given what was seen. */
export function rationaleText(
  truth: Knowledge,
  seen: { colors: readonly string[]; concepts: readonly string[] },
  candidates: readonly Knowledge[],
  comparedWords: number,
): string {
  return formatRationale({
    colors: seen.colors,
    concepts: seen.concepts,
    candidates: candidates.map((c) => c.name),
    comparison: compareCandidates(
      seen,
      candidates.map((c) => ({ name: c.name, colors: c.colors, concepts: c.words })),
      comparedWords,
    ),
    prediction: truth.name,
  });
}

/** How many candidates a rationale weighs. */
export const CANDIDATES = { closed: 4, open: 3 } as const;

/**
 * Candidates of an open question stand in alphabetical order: their place says nothing about which is right, and a
 * model that continues a sorted list does not name one twice (shuffled lists made the first base repeat its favourite).
 * Those of a closed question stand as its options do.
 */
export function orderCandidates<T extends { name: string }>(candidates: readonly T[]): T[] {
  return [...candidates].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** A question with or without options, and the candidates that go with it. */
function ask(truth: Knowledge, random: Random): { options: string[] | undefined; candidates: Knowledge[] } {
  if (random.uniform() < 0.5 && truth.neighbours.length >= CANDIDATES.closed - 1) {
    const candidates = drawCandidates(truth, CANDIDATES.closed, random, 8);
    return { options: candidates.map((c) => c.name), candidates };
  }
  return { options: undefined, candidates: orderCandidates(drawCandidates(truth, CANDIDATES.open, random, 4)) };
}

/** Answers to short questions start with a space, so that a word is the same token wherever it stands. */
const listing = (words: readonly string[]): string => ` ${words.join(" ")}.`;
export const description = (colors: readonly string[], words: readonly string[]): string =>
  ` ${colors.join(" ")}, ${words.join(" ")}.`;

/** Questions on what is to be seen, without the concept's name. */
function perceptionTurns(
  truth: Knowledge,
  drawing: Knowledge["drawings"][number],
  random: Random,
  count: number,
): Conversation["turns"] {
  const questions = [
    { user: "Describe.", assistant: description(drawing.colors, random.shuffle(truth.words)) },
    { user: "Parts?", assistant: listing(random.shuffle(truth.words)) },
    { user: "Colors?", assistant: listing(drawing.colors) },
    { user: "Shape?", assistant: listing(drawing.shape) },
    { user: "Kind?", assistant: listing([truth.kind]) },
  ];
  return random.sample(questions, count);
}

/** Short questions on an image whose name is not told. */
export function perceptionConversation(
  truth: Knowledge,
  drawing: Knowledge["drawings"][number],
  random: Random,
): Conversation {
  return { image: drawing.path, turns: perceptionTurns(truth, drawing, random, 3) };
}

/**
 * The two dialogues that tell an image's name, always drawn together: a rationale, and a direct answer with short
 * questions.
 */
export function namingConversations(
  truth: Knowledge,
  drawing: Knowledge["drawings"][number],
  random: Random,
  options: Partial<CorpusOptions> = {},
): { rationale: Conversation; direct: Conversation } {
  const { corruption, comparedWords, prompts } = { ...defaultCorpus, ...options };
  const reasoned = ask(truth, random);
  const concepts = corruptWords(truth, random, corruption);
  const rationale = {
    image: drawing.path,
    turns: [
      {
        user: prompts.reason(truth.question, reasoned.options),
        assistant: rationaleText(truth, { colors: drawing.colors, concepts }, reasoned.candidates, comparedWords),
      },
    ],
  };
  const direct = ask(truth, random);
  const turns = [
    { user: prompts.direct(truth.question, direct.options), assistant: formatAnswer(truth.name) },
    ...perceptionTurns(truth, drawing, random, 1),
  ];
  return { rationale, direct: { image: drawing.path, turns } };
}

/** Measured or usual colours, and words as they are seen. */
interface Description {
  colors: readonly string[];
  concepts: readonly string[];
}

/** The candidate that fits a description best: most matches, fewest missing words. Null where two fit alike. */
export function bestCandidate(seen: Description, candidates: readonly Knowledge[]): Knowledge | null {
  const known = candidates.map(({ name, colors, words }) => ({ name, colors, concepts: words }));
  const scores = compareCandidates(seen, known, 0).map(({ matching, missing }) => matching.length - missing.length);
  const best = Math.max(...scores);
  return scores.filter((score) => score === best).length === 1 ? candidates[scores.indexOf(best)] : null;
}

function describedInWords(one: Knowledge, random: Random, corruption: Corruption): Description {
  const colors = one.drawings.length > 0 ? random.choice(one.drawings).colors : one.colors;
  return { colors, concepts: corruptWords(one, random, corruption) };
}

/** A description of something near that is no candidate, and the candidate that fits it best; null where none does. */
function judgedQuestion(
  truth: Knowledge,
  candidates: readonly Knowledge[],
  random: Random,
  corruption: Corruption,
): { seen: Description; answer: Knowledge } | null {
  const others = truth.neighbours.slice(0, 12).filter((one) => one.words.length > 0 && !candidates.includes(one));
  if (others.length === 0) return null;
  const seen = describedInWords(random.choice(others), random, corruption);
  const answer = bestCandidate(seen, candidates);
  return answer && { seen, answer };
}

/** Dialogues without an image: what things look like, and reasoning from a description in words. */
export function textConversation(truth: Knowledge, random: Random, corpus: Partial<CorpusOptions> = {}): Conversation {
  const { textCorruption, comparedWords, judged, prompts } = { ...defaultCorpus, ...corpus };
  const u = random.uniform();
  const words = random.shuffle(truth.words);
  if (u < 0.35)
    return { image: null, turns: [{ user: `Describe ${truth.name}.`, assistant: description(truth.colors, words) }] };
  const own = { seen: describedInWords(truth, random, textCorruption), answer: truth };
  const { options, candidates } = ask(truth, random);
  const { seen, answer } =
    (judged > 0 && random.uniform() < judged && judgedQuestion(truth, candidates, random, textCorruption)) || own;
  const question = `${description(seen.colors, seen.concepts).trim()} ${truth.question}`;
  if (u < 0.6)
    return { image: null, turns: [{ user: prompts.direct(question, options), assistant: formatAnswer(answer.name) }] };
  return {
    image: null,
    turns: [
      {
        user: prompts.reason(question, options),
        assistant: rationaleText(answer, seen, candidates, comparedWords),
      },
    ],
  };
}

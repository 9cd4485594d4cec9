/**
 * What a strong teacher is asked, and its descriptions as visual concepts: short phrases such as `curved black bill`.
 */
import { sharesStem } from "../util/stem";

/** Asks for one description. @param kind super-category, such as `bird` */
export function describePrompt(kind: string): string {
  return (
    `Look at the ${kind} in this image. List what one sees of it that would help to tell its exact kind from others like it: shapes, parts, colours, patterns, proportions. ` +
    "One feature a line, each a phrase of one to four words. No sentences, no names of kinds, nothing that is not visible."
  );
}

/**
 * Asks for the rationale. The label is not in it.
 * @param candidates the four to choose from; the teacher names its own where not given
 */
export function rationalePrompt(question: string, concepts: readonly string[], candidates?: readonly string[]): string {
  return [
    `Question: ${question}`,
    `These visual concepts were found in the image: ${concepts.join("; ")}.`,
    ...(candidates ? [`The candidates are: ${candidates.join("; ")}.`] : []),
    'Think in four parts, each under its heading: "Analysis of Visual Features:" (what the image shows, the concepts above where you can see them), ' +
      `"Candidate Subcategories:" (${candidates ? "the four above" : "four exact kinds it could be, by their common names"}), "Comparison Process:" (each candidate against what is visible), ` +
      '"Prediction:" (the candidate that fits best, and why).',
    "Write all of this between <think> and </think>, then the name of that one candidate, alone, between <answer> and </answer>.",
  ].join("\n");
}

const MAX_WORDS = 4;
const ARTICLES = /^(?:a|an|the|its|has|with)\s+/;

/**
 * The phrases of a description: one a line, or between commas and semicolons; bullets, numbers, bold marks and articles
 * off, `Bill: short` read as `short bill`, in lower case, each once. What has more than four words is no phrase.
 */
export function parsePhrases(description: string): string[] {
  const phrases = description.split(/[\n,;]+/).map((piece) => {
    const text = piece
      .toLowerCase()
      .replace(/[*_`"]+/g, "")
      .replace(/^\s*(?:[-•–]|\(?\d+[.)])\s*/, "")
      .trim();
    const [key, value] = text.split(/\s*:\s*/, 2);
    const joined = value ? `${value.replace(/[.!]+$/, "").trim()} ${key}` : key;
    return joined
      .replace(/[.!]+$/, "")
      .replace(ARTICLES, "")
      .replace(/\s+/g, " ")
      .trim();
  });
  return [
    ...new Set(
      phrases.filter(
        (phrase) => /^[\p{L}\p{N}][\p{L}\p{N}' -]*$/u.test(phrase) && phrase.split(" ").length <= MAX_WORDS,
      ),
    ),
  ];
}

const wordsOf = (phrase: string): string[] => phrase.match(/\p{L}{3,}/gu) ?? [];

/** Whether a phrase gives a name away: it holds the name, or all its words share a stem with words of one name. */
export function givesAway(phrase: string, names: readonly string[]): boolean {
  const words = wordsOf(phrase);
  return names.some(
    (name) =>
      phrase.includes(name.toLowerCase()) ||
      (words.length > 0 && words.every((word) => sharesStem(word, [name]) !== null)),
  );
}

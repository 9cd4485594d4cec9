/**
 * Which of a teacher's rationales are kept: the form, the length, the answer, and none that says what another says
 * already.
 */
import { stage1Answer, stage1Problems } from "../formats/stage1";
import { normaliseName } from "../reward/listing";

/** Why a rationale was not kept. */
export type TeacherRejection =
  "malformed" | "too short" | "too long" | "cut off" | "wrong answer" | "prediction and answer differ" | "duplicate";

export const TEACHER_REJECTIONS: readonly TeacherRejection[] = [
  "malformed",
  "too short",
  "too long",
  "cut off",
  "wrong answer",
  "prediction and answer differ",
  "duplicate",
];

/** Limits. */
export interface ValidationOptions {
  /** Words of the whole response. */
  minWords: number;
  maxWords: number;
  /** `exact`: the answer is the name (`plainAnswer`); `substring`: contains it (the paper's rule). */
  match: "exact" | "substring";
  /** Share of four-word runs in common from which two responses count as the same, in (0, 1]. */
  duplicateShare: number;
  /**
   * Whether a response has the form that is trained; default: the tags and the four parts in words (`stage1Problems`).
   */
  isWellFormed?: (text: string) => boolean;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** The number of words. */
export const wordCount = (text: string): number => words(text).length;

/**
 * A text as names in it are looked for: lower case, letters composed, `_` and white space of any kind as one space,
 * without markdown's marks for bold and code, hyphens and dashes of any kind (U+2011 is what some teachers write) as
 * "-".
 */
export function plainText(text: string): string {
  return normaliseName(text.replace(/\*+|`+|(?<![\p{L}\p{N}])__|__(?![\p{L}\p{N}])/gu, ""))
    .replace(/[\u2010-\u2015\u2212\uFE58\uFE63\uFF0D]/g, "-")
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/\s+/g, " ")
    .trim();
}

/**
 * A name or an answer that is one, as two are compared: `plainText` without quotes around it, punctuation behind it, an
 * article before it.
 */
export function plainAnswer(text: string): string {
  const quotes = /^["'\u201C-\u201F\u00AB\u00BB\u300C\u300D\s]+|["'\u201C-\u201F\u00AB\u00BB\u300C\u300D.,;:!?\s]+$/g;
  return plainText(text)
    .replace(quotes, "")
    .replace(/^(?:an?|the) /, "")
    .replace(quotes, "");
}

const hasFourParts = (text: string): boolean => stage1Problems({ assistant: text }).length === 0;

/** Reason to reject a response by itself, or null. */
export function rejectionOf(
  response: { text: string; finished: boolean },
  truth: string,
  options: ValidationOptions,
): TeacherRejection | null {
  const { text, finished } = response;
  if (!finished) return "cut off";
  const { isWellFormed = hasFourParts } = options;
  if (!isWellFormed(text)) return "malformed";
  const n = wordCount(text);
  if (n < options.minWords) return "too short";
  if (n > options.maxWords) return "too long";
  const [answer, name] = [plainAnswer(stage1Answer(text)), plainAnswer(truth)];
  if (name === "" || (options.match === "exact" ? answer !== name : !answer.includes(name))) return "wrong answer";
  const think = plainText(text.slice(0, text.indexOf("</think>")));
  const prediction = think.slice(
    Math.max(
      think.lastIndexOf("prediction"),
      think.lastIndexOf("final answer"),
      think.lastIndexOf("conclusion"),
      think.lastIndexOf("identified as"),
    ),
  );
  return prediction.includes(name) ? null : "prediction and answer differ";
}

/**
 * A response whose answer is `name` in another spelling (`plainAnswer`: bold, an article, another hyphen) with the name
 * itself in its place: a model trained on it should say what is scored. Any other response is returned as it is.
 */
export function withPlainAnswer(text: string, name: string): string {
  const answer = stage1Answer(text);
  if (plainAnswer(answer) !== plainAnswer(name) || normaliseName(answer) === normaliseName(name)) return text;
  return text.replace(
    /(<answer>\s*)[\s\S]*?(\s*<\/answer>)/,
    (_, before: string, after: string) => `${before}${name}${after}`,
  );
}

const RUN = 4;

/** The runs of four words of a text, lower case, punctuation off. */
function runs(text: string): Set<string> {
  const list = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  if (list.length <= RUN) return new Set([list.join(" ")]);
  return new Set(Array.from({ length: list.length - RUN + 1 }, (_, i) => list.slice(i, i + RUN).join(" ")));
}

/**
 * Remembers responses; `isNew` says whether none so far shares `share` of its four-word runs (Jaccard), and remembers
 * it then.
 */
export function duplicateFilter(share: number): { isNew(text: string): boolean } {
  const known: Set<string>[] = [];
  return {
    isNew: (text) => {
      const own = runs(text);
      const isSame = (other: Set<string>): boolean => {
        if (Math.min(own.size, other.size) < share * Math.max(own.size, other.size)) return false;
        let both = 0;
        for (const run of own) if (other.has(run)) both++;
        return both / (own.size + other.size - both) >= share;
      };
      if (known.some(isSame)) return false;
      known.push(own);
      return true;
    },
  };
}

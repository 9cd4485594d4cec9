/** Which of a teacher's rationales are kept: the form, the length, the answer, and none that says what another says already. */
import { plainName } from "../benchmark/photographs/released";
import { stage1Answer, stage1Problems } from "../formats/stage1";

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
  /** `exact`: the answer is the name; `substring`: contains it (the paper's rule). Lower case, `_` read as a space. */
  match: "exact" | "substring";
  /** Share of four-word runs in common from which two responses count as the same, in (0, 1]. */
  duplicateShare: number;
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== "");

/** The number of words. */
export const wordCount = (text: string): number => words(text).length;

/** Reason to reject a response by itself, or null. */
export function rejectionOf(
  response: { text: string; finished: boolean },
  truth: string,
  options: ValidationOptions,
): TeacherRejection | null {
  const { text, finished } = response;
  if (!finished) return "cut off";
  if (stage1Problems({ assistant: text }).length > 0) return "malformed";
  const n = wordCount(text);
  if (n < options.minWords) return "too short";
  if (n > options.maxWords) return "too long";
  const answer = plainName(stage1Answer(text));
  const right =
    options.match === "exact" ? answer.replace(/[.!]+$/, "") === plainName(truth) : answer.includes(plainName(truth));
  if (!right) return "wrong answer";
  const think = plainName(text.slice(0, text.indexOf("</think>")));
  const prediction = think.slice(
    Math.max(
      think.lastIndexOf("prediction"),
      think.lastIndexOf("final answer"),
      think.lastIndexOf("conclusion"),
      think.lastIndexOf("identified as"),
    ),
  );
  return prediction.includes(plainName(truth)) ? null : "prediction and answer differ";
}

const RUN = 4;

/** The runs of four words of a text, lower case, punctuation off. */
function runs(text: string): Set<string> {
  const list = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  if (list.length <= RUN) return new Set([list.join(" ")]);
  return new Set(Array.from({ length: list.length - RUN + 1 }, (_, i) => list.slice(i, i + RUN).join(" ")));
}

/** Remembers responses; `isNew` says whether none so far shares `share` of its four-word runs (Jaccard), and remembers it then. */
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

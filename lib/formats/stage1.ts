/** Checks and summary of Stage-1 records (`sharegpt.ts`): tags, answer, and the four parts of the paper's rationale. */
import type { OnBadRow } from "../util/lines";
import { occurrences } from "../util/text";
import { SET_NAMES, type SetName } from "./set-names";
import { readSharegptFile, type SftRecord, type SharegptFile, type SharegptOptions } from "./sharegpt";

/** First folder of a released image path, up to its set. */
const FOLDERS: Readonly<Record<SetName, RegExp>> = {
  aircraft: /^fgvc-aircraft/,
  bird: /^bird/,
  car: /^stanford_cars/,
  dog: /^dogs/,
  flower: /^flower/,
  pet: /^oxford-pet/,
};

/** The set of a released Stage-1 image path; `other` where it is none of the six. */
export function stage1Set(image: string): SetName | "other" {
  return SET_NAMES.find((name) => FOLDERS[name].test(image)) ?? "other";
}

/** Shortest visual analysis, in characters. */
const MIN_ANALYSIS = 100;

const FORM = /^\s*<think>([\s\S]*)<\/think>\s*<answer>([\s\S]*)<\/answer>\s*$/;

/** What is wrong with a record's tags and answer: what makes it useless for training. */
export function tagProblems({ assistant }: Pick<SftRecord, "assistant">): string[] {
  const problems: string[] = [];
  for (const tag of ["<think>", "</think>", "<answer>", "</answer>"]) {
    const n = occurrences(assistant, tag);
    if (n !== 1) problems.push(`${n} ${tag} tags; one expected`);
  }
  const match = FORM.exec(assistant);
  if (!match) problems.push("not <think>…</think> <answer>…</answer> and nothing else");
  else if (match[2].trim() === "") problems.push("the answer is empty");
  return problems;
}

/**
 * Reads a file of Stage-1 records: sharegpt JSON whose tags are balanced, whose answers are not empty, and in which no
 * image stands twice with the same question. A part of the rationale that is missing is no reason to refuse a record
 * (`stage1Problems`).
 * @param onBadRow `stop` (default) throws at the first bad record; `skip` goes on and returns all of them
 * @throws Error naming file, line, record and what is wrong
 */
export function readStage1(file: string, onBadRow: OnBadRow = "stop", options: SharegptOptions = {}): SharegptFile {
  const before = new Map<string, number>();
  const problem = (record: SftRecord, line: number): string | null => {
    const problems = tagProblems(record);
    if (problems.length > 0) return problems.join("; ");
    const key = JSON.stringify([record.image, record.user]);
    const first = before.get(key);
    if (first !== undefined) return `image ${record.image} with this question stands in line ${first} already`;
    before.set(key, line);
    return null;
  };
  return readSharegptFile(file, onBadRow, problem, options);
}

/**
 * What is wrong with a record; an empty list: nothing. The rationale's headings vary, so its parts are told by words,
 * in their order: text before the candidates (visual analysis), the word "candidate", words of comparison after it, and
 * a prediction.
 */
export function stage1Problems(record: Pick<SftRecord, "assistant">): string[] {
  const problems = tagProblems(record);
  const match = FORM.exec(record.assistant);
  if (!match) return problems;
  const think = match[1].toLowerCase();
  const candidates = think.indexOf("candidate");
  if (candidates < 0) problems.push("no candidates");
  if ((candidates < 0 ? think.trim() : think.slice(0, candidates).trim()).length < MIN_ANALYSIS)
    problems.push("no visual analysis");
  if (
    !/compar|differ|distinguish|unlike|match|rule[sd]? out|whereas|align|inconsistent|lacks/.test(
      think.slice(Math.max(0, candidates)),
    )
  )
    problems.push("no comparison");
  if (!/prediction|final answer|conclusion|identified as/.test(think)) problems.push("no prediction");
  return problems;
}

/** The text of the answer, trimmed; "" where there is none. */
export function stage1Answer(assistant: string): string {
  return /<answer>([\s\S]*)<\/answer>/.exec(assistant)?.[1].trim() ?? "";
}

/** One line per set, and `all`. Lengths in words of the assistant's turn. */
export interface Stage1Summary {
  set: string;
  records: number;
  /** Different answers. */
  subcategories: number;
  /** Records with at least one problem. */
  flawed: number;
  shortest: number;
  median: number;
  longest: number;
}

/** Summarises records by set, sets in the paper's order, `all` last. Empty for no records. */
export function summariseStage1(records: readonly SftRecord[]): Stage1Summary[] {
  const groups = [...SET_NAMES, "other"].map((set) => ({
    set: set as string,
    own: records.filter((record) => stage1Set(record.image) === set),
  }));
  return [...groups, { set: "all", own: [...records] }]
    .filter(({ own }) => own.length > 0)
    .map(({ set, own }) => {
      const lengths = own
        .map((record) => record.assistant.split(/\s+/).filter((word) => word !== "").length)
        .sort((a, b) => a - b);
      const middle = lengths.length / 2;
      return {
        set,
        records: own.length,
        subcategories: new Set(own.map((record) => `${stage1Set(record.image)}/${stage1Answer(record.assistant)}`))
          .size,
        flawed: own.filter((record) => stage1Problems(record).length > 0).length,
        shortest: lengths[0],
        median: (lengths[Math.ceil(middle) - 1] + lengths[Math.floor(middle)]) / 2,
        longest: lengths[lengths.length - 1],
      };
    });
}

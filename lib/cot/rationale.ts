/**
 * The structured rationale of Stage 1 (paper, section 3.1): visual analysis, candidate sub-categories, comparison,
 * prediction - as text, and back from text.
 */

/** What a candidate's comparison says. */
export interface Verdict {
  candidate: string;
  /** Concepts seen in the image that the candidate has. */
  matching: readonly string[];
  /** Concepts the candidate should have that were not seen. */
  missing: readonly string[];
}

/** A rationale in its four parts. */
export interface Rationale {
  /** Colour words, most frequent first. */
  colors: readonly string[];
  /** Visual concepts other than colours. */
  concepts: readonly string[];
  /** Candidate sub-categories, most believed first. */
  candidates: readonly string[];
  comparison: readonly Verdict[];
  prediction: string;
}

/** Candidates of a rationale, as many as a question has options. */
const CANDIDATES = 4;

function verdictText({ candidate, matching, missing }: Verdict): string {
  const parts = [
    matching.length > 0 ? `fits ${matching.join(" ")}` : "",
    missing.length > 0 ? `lacks ${missing.join(" ")}` : "",
  ].filter((part) => part !== "");
  return `${candidate} ${parts.length > 0 ? parts.join(" ") : "unclear"}`;
}

/** `<think>four parts</think><answer> name</answer>`. */
export function formatRationale(rationale: Rationale): string {
  const { colors, concepts, candidates, comparison, prediction } = rationale;
  return (
    `<think> Analysis: ${colors.join(" ")}, ${concepts.join(" ")}. Candidates: ${candidates.join(", ")}. ` +
    `Comparison: ${comparison.map(verdictText).join(", ")}. Prediction: ${prediction}.</think>${formatAnswer(prediction)}`
  );
}

/** `<answer> name</answer>`. */
export function formatAnswer(name: string): string {
  return `<answer> ${name}</answer>`;
}

const sections =
  /^\s*<think>\s*Analysis:\s*(.*?),\s*(.*?)\.\s*Candidates:\s*(.*?)\.\s*Comparison:\s*(.*?)\.\s*Prediction:\s*(.*?)\.\s*<\/think>\s*<answer>\s*(.*?)\s*<\/answer>\s*$/s;

/**
 * The parts of a rationale as text, without interpreting the comparison; null where a part is missing or out of order.
 */
export function parseRationale(text: string): {
  colors: string[];
  concepts: string[];
  candidates: string[];
  comparison: string;
  prediction: string;
  answer: string;
} | null {
  const match = sections.exec(text);
  if (!match) return null;
  const words = (s: string): string[] => s.split(/\s+/).filter((word) => word !== "");
  return {
    colors: words(match[1]),
    concepts: words(match[2]),
    candidates: match[3]
      .split(",")
      .map((c) => c.trim())
      .filter((c) => c !== ""),
    comparison: match[4],
    prediction: match[5],
    answer: match[6],
  };
}

/**
 * A rationale whose name is put right: its own analysis, the candidates with `name` among them, no verdict on any, and
 * `name` as prediction and answer. Null where the text is no rationale.
 * @param given the options of the question; else the rationale's own candidates
 */
export function withName(text: string, name: string, given?: readonly string[]): string | null {
  const own = parseRationale(text);
  if (!own) return null;
  const others = own.candidates.filter((candidate) => candidate !== name);
  const candidates = given ?? [...new Set([name, ...others])].slice(0, CANDIDATES);
  const comparison = candidates.map((candidate) => ({ candidate, matching: [], missing: [] }));
  return formatRationale({ colors: own.colors, concepts: own.concepts, candidates, comparison, prediction: name });
}

/**
 * Compares what was seen with what each candidate is known to look like.
 * @param seen colours and concepts read off the image
 * @param known per candidate: its usual colours and concepts
 * @param maxWords words of a verdict at most, matching ones first where most match, missing ones first otherwise; 0 for
 * all words of a candidate and a colour that matches, so that the verdicts alone tell who fits best
 */
export function compareCandidates(
  seen: { colors: readonly string[]; concepts: readonly string[] },
  known: readonly { name: string; colors: readonly string[]; concepts: readonly string[] }[],
  maxWords = 2,
): Verdict[] {
  return known.map(({ name, colors, concepts }) => {
    const matching = concepts.filter((c) => seen.concepts.includes(c));
    const missing = concepts.filter((c) => !seen.concepts.includes(c));
    const matchingColors = colors.filter((c) => seen.colors.includes(c));
    if (maxWords === 0) return { candidate: name, matching: [...matchingColors.slice(0, 1), ...matching], missing };
    if (concepts.length > 0 && missing.length === 0)
      return {
        candidate: name,
        matching: [...matchingColors.slice(0, 1), ...matching].slice(0, maxWords),
        missing: [],
      };
    if (matching.length >= missing.length)
      return { candidate: name, matching: matching.slice(0, maxWords - 1), missing: missing.slice(0, 1) };
    return { candidate: name, matching: matching.slice(0, 1), missing: missing.slice(0, maxWords - 1) };
  });
}

/** Signs that a policy has collapsed: it goes on being trained, but what it samples teaches nothing any more. */
import type { RlLog } from "./rl-log";

/** Steps in a row that must show a sign. */
const STEPS = 3;
/** A format that fewer than this share of responses keep is gone, if more than half kept it before. */
const FORMAT_GONE = 0.05;
const FORMAT_THERE = 0.5;
/** Share of one answer among those of prompts with different truths. */
const ONE_ANSWER = 0.9;
/** Share of the token limit, and of finished responses, at which responses run on to the limit. */
const AT_LIMIT = 0.98;
const FINISHED = 0.05;

/** A sign. */
export type Collapse = "format" | "answer" | "length";

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/**
 * What the last three steps of a log show of a collapse, in words by sign; empty where nothing, or fewer steps.
 * @param maxNewTokens the limit of a response, tokens
 */
export function collapseOf(
  log: readonly RlLog[],
  { maxNewTokens }: { maxNewTokens: number },
): Partial<Record<Collapse, string>> {
  const last = log.slice(-STEPS);
  if (last.length < STEPS) return {};
  const now = last[STEPS - 1];
  const found: Partial<Record<Collapse, string>> = {};
  const before = Math.max(0, ...log.slice(0, -STEPS).map(({ format }) => format));
  if (before > FORMAT_THERE && last.every(({ format }) => format < FORMAT_GONE))
    found.format = `the format is gone: ${percent(now.format)} of responses keep it, after ${percent(before)}`;
  if (last.every(({ commonestAnswer }) => commonestAnswer !== null && commonestAnswer >= ONE_ANSWER))
    found.answer = `one answer for all: ${percent(now.commonestAnswer!)} of responses give the same, to questions with different truths`;
  if (last.every(({ length, finished }) => length >= AT_LIMIT * maxNewTokens && finished <= FINISHED))
    found.length = `responses run on to the limit of ${maxNewTokens} tokens: ${percent(now.finished)} end before it`;
  return found;
}

/**
 * Looks at a log as it grows and speaks once.
 * @returns takes the log so far; the warning where it is the first with a sign, else null
 */
export function collapseWatch(maxNewTokens: number): (log: readonly RlLog[]) => string | null {
  let said = false;
  return (log) => {
    const signs = Object.values(collapseOf(log, { maxNewTokens }));
    if (said || signs.length === 0) return null;
    said = true;
    return (
      `step ${log[log.length - 1].step}: the policy looks collapsed: ${signs.join("; ")}. The training goes on; ` +
      "a lower rl.learningRate or an earlier checkpoint may help"
    );
  };
}

/** The format reward. */
import { PYTHON_SPACE } from "./python-text";
import { tightenTags } from "./tags";

// No `m` flag: ^ and $ are the ends of the whole response (Python's fullmatch); [\s\S] is "dot matches newline".
const FORMAT = new RegExp(`^<think>[\\s\\S]*?</think>[${PYTHON_SPACE}]*<answer>[\\s\\S]*?</answer>$`);

/**
 * 1 where the whole response is `<think>.*?</think>\s*<answer>.*?</answer>`, else 0. White space around `<`, `>` and
 * `/` is removed first, so that leading and trailing blanks do no harm.
 */
export function formatReward(response: string): 0 | 1 {
  return FORMAT.test(tightenTags(response)) ? 1 : 0;
}

/** The tags of a response, read as the released reward reads them (`cls_thinking.py`). */
import { PYTHON_SPACE, strip } from "./python-text";

const AROUND_TAG = new RegExp(`[${PYTHON_SPACE}]*([<>/])[${PYTHON_SPACE}]*`, "g");

/**
 * Removes white space around every `<`, `>` and `/`, in the whole response: `< answer > red fox </ answer >` becomes
 * `<answer>red fox</answer>`. Text inside an answer is not spared (`A / B` becomes `A/B`), as in the release.
 */
export function tightenTags(response: string): string {
  return response.replace(AROUND_TAG, "$1");
}

/**
 * Where the text of the FIRST `<answer>...</answer>` stands (shortest match, over lines), white space at its ends
 * aside: `[start, end)` in characters, equal where it is empty; null where there is none.
 */
export function firstAnswerRange(response: string): [start: number, end: number] | null {
  const match = /<answer>([\s\S]*?)<\/answer>/.exec(response);
  if (!match) return null;
  const text = strip(match[1]);
  const start = match.index + "<answer>".length + match[1].indexOf(text);
  return [start, start + text.length];
}

/** The text of the FIRST `<answer>...</answer>` (shortest match, over lines), stripped; null where there is none. */
export function firstAnswer(response: string): string | null {
  const range = firstAnswerRange(response);
  return range && response.slice(...range);
}

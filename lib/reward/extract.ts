/** The answer of an output, as the released evaluation finds it. */
import { strip } from "./python-text";

/** Text from the first `<answer>` to the LAST `</answer>` (greedy, over lines), stripped; null where none or empty. */
export function extractAnswer(output: string): string | null {
  const match = /<answer>([\s\S]*)<\/answer>/.exec(output);
  const answer = match ? strip(match[1]) : "";
  return answer === "" ? null : answer;
}

/** JSON of others: how deep it may be, and how a value of it is shown in an error. */

/** Deepest nesting that is read: Python's `json` gives up at about twice as much. */
const DEEPEST = 500;

/** Whether lists and objects of a text of JSON are nested deeper than `most`. Brackets in strings do not count. */
function isDeeper(text: string, most: number): boolean {
  let [depth, inString] = [0, false];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x5b || c === 0x7b) {
      if (++depth > most) return true;
    } else if (c === 0x5d || c === 0x7d) depth--;
  }
  return false;
}

/**
 * `JSON.parse` of a text that is not nested deeper than 500: what walks through deeper values runs out of stack.
 * @throws SyntaxError saying what is wrong
 */
export function parseJsonText(text: string): unknown {
  if (isDeeper(text, DEEPEST)) throw new SyntaxError(`lists and objects nested deeper than ${DEEPEST}`);
  return JSON.parse(text) as unknown;
}

/** Longest value in an error, characters. */
const SHOWN = 120;

/** Text, cut after `most` characters. */
export const shortened = (text: string, most = SHOWN): string =>
  text.length > most ? `${text.slice(0, most)}…` : text;

/** A value of JSON as an error shows it: its JSON, cut after `most` characters. Of none: `undefined`. */
export function shownValue(value: unknown, most = SHOWN): string {
  try {
    return shortened(JSON.stringify(value) ?? String(value), most);
  } catch {
    return "a value that is nested too deep to be shown";
  }
}

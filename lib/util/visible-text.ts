/**
 * Text of data in a terminal: names, answers and captions may hold characters that a terminal obeys (escape codes move
 * the cursor, change what stands there, write to the clipboard) or that turn the reading order round.
 */

/** Control characters but tab and newline, and those of Unicode that turn the direction of text round. */
const OBEYED = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Text whose control characters are seen and not obeyed: `\u001b` in place of the escape character, as JSON writes it,
 * so that JSON stays what it was. Tabs, and line ends as Unix and Windows write them, stay.
 */
export const visibleText = (text: string): string =>
  text
    .replace(/\r\n/g, "\n")
    .replace(OBEYED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

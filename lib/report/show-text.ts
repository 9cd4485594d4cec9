/** Long text in a notebook: an answer, a rationale, a record. */
import { escapeHtml } from "../util/escape-html";
import { OWN_KEYS, show } from "./notebook";

/** The height of the box, in lines; longer text scrolls inside it. */
const LINES = 18;

/**
 * Shows text with its line breaks in a box of at most 18 lines, the rest to scroll. The text is data: its HTML is
 * shown, not run.
 * @param heading one line above the box
 */
export function showText(text: string, heading = ""): void {
  const title = heading === "" ? "" : `<div><b>${escapeHtml(heading)}</b></div>`;
  const style = `white-space:pre-wrap;max-height:${LINES * 1.4}em;line-height:1.4;overflow:auto;border-left:3px solid #999;padding-left:1em;margin:0.3em 0`;
  show({
    "text/html": `${title}<div style="${style}" tabindex="0" ${OWN_KEYS}>${escapeHtml(text)}</div>`,
    "text/plain": heading === "" ? text : `${heading}\n${text}`,
  });
}

/** Names of data in Markdown: shown as they are written, never as markup, HTML or an image that is fetched. */

/** What Markdown would decode. */
const ENTITY = /&(?=#?\w+;)/g;

/** A text in one line of Markdown. */
export const escapeMarkdown = (text: string): string =>
  text
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(/[\\`*[\]$~]|(?<!\w)_|_(?!\w)/g, "\\$&")
    .replace(ENTITY, "&amp;")
    .replace(/</g, "&lt;");

/**
 * A text in a cell of a table: bars are escaped, and what begins HTML or the address of a link. Other markup stays, and
 * so does `<0.001`; tables are read in terminals too.
 */
export const escapeCell = (text: string): string =>
  text
    .replace(/\|/g, "\\|")
    .replace(/\s*[\r\n]+\s*/g, " ")
    .replace(ENTITY, "&amp;")
    .replace(/<(?=[a-z/!?])/gi, "&lt;")
    .replace(/\]\(/g, "]\\(");

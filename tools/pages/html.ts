/**
 * Small questions to the HTML that render.py writes. It is normalised: attributes have double quotes, text and
 * attributes have `& < > "` escaped, there are no comments. So regular expressions tell tags from text.
 */
const CHARACTERS: Readonly<Record<string, string>> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"' };

/** Undoes `escapeHtml`. */
export const unescapeHtml = (text: string): string =>
  text.replace(/&(?:amp|lt|gt|quot);/g, (entity) => CHARACTERS[entity]);

/** HTML without its tags, white space as single spaces: plain text, not HTML any more. */
export const plainText = (html: string): string =>
  unescapeHtml(html.replace(/<[^>]*>/g, ""))
    .replace(/\s+/g, " ")
    .trim();

/** An attribute's value as text; null where the tag does not have it. */
export function attributeOf(tag: string, name: string): string | null {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? null : unescapeHtml(value);
}

/** Ids of elements, in order; one that occurs twice is in the list twice. */
export function idsOf(html: string): string[] {
  const elements = html.replace(/<(style|script)\b[^>]*>[^]*?<\/\1>/g, "");
  return [...elements.matchAll(/<[a-z][^>]*?\sid="([^"]*)"[^>]*>/g)].map(([, id]) => unescapeHtml(id));
}

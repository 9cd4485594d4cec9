/** Headings of a page: their anchors, the page's title, and the first words below it. */
import { escapeHtml } from "../../lib/util/escape-html";
import { plainText } from "./html";

export interface Heading {
  /** 1 to 6. */
  level: number;
  /** Plain text. */
  text: string;
  /** Its anchor, without `#`. */
  id: string;
}

/** Anchors of headings, as GitHub makes them: lower case, no punctuation, numbered where they recur. */
export function githubAnchors(titles: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return titles.map((title) => {
    const anchor = title
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_\- ]/gu, "")
      .replace(/ /g, "-");
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  });
}

const HEADING = /<h([1-6])>([^]*?)<\/h\1>/g;

/** The page with an id at each heading, and a link to it at those below the first level. */
export function withHeadings(html: string): { html: string; headings: Heading[] } {
  const found = [...html.matchAll(HEADING)].map(([, level, inner]) => ({
    level: Number(level),
    text: plainText(inner),
  }));
  const anchors = githubAnchors(found.map(({ text }) => text));
  const headings = found.map((heading, i) => ({ ...heading, id: anchors[i] }));
  let next = 0;
  const anchored = html.replace(HEADING, (_, level: string, inner: string) => {
    const { id, text } = headings[next++];
    const label = escapeHtml(`Link to “${text}”`);
    const link = level === "1" ? "" : ` <a class="anchor" href="#${escapeHtml(id)}" aria-label="${label}">#</a>`;
    return `<h${level} id="${escapeHtml(id)}">${inner}${link}</h${level}>`;
  });
  return { html: anchored, headings };
}

/** The page's one first-level heading. @throws Error naming the file, where there is none, or a second one */
export function titleOf(file: string, headings: readonly Heading[]): string {
  const titles = headings.filter(({ level }) => level === 1).map(({ text }) => text);
  if (titles.length !== 1) {
    const found = titles.length === 0 ? "none" : titles.map((title) => `"${title}"`).join(", ");
    throw new Error(`${file}: a page has one heading of the first level (# Title); found ${found}`);
  }
  return titles[0];
}

/** A line that says which command wrote a document says nothing of what is in it. */
const GENERATED = /^Written by /;
const LONGEST = 260;

/**
 * What a page is about: the first sentences of its first paragraph, at least one, at most 260 characters of them.
 * @returns plain text; empty where the page has no paragraph
 */
export function summaryOf(html: string): string {
  const paragraphs = [...html.matchAll(/<p>([^]*?)<\/p>/g)].map(([, inner]) => plainText(inner));
  const first = paragraphs.find((text) => text !== "" && !GENERATED.test(text)) ?? "";
  const sentences = first.split(/(?<=[.!?:])\s+(?=\p{Lu})/u);
  let summary = sentences[0];
  for (const sentence of sentences.slice(1)) {
    if (summary.length + 1 + sentence.length > LONGEST) break;
    summary += ` ${sentence}`;
  }
  return summary.replace(/:$/, ".");
}

/** What stands above a page's first second-level heading. */
export function introOf(html: string): string {
  const end = html.search(/<h2[ >]/);
  return end < 0 ? html : html.slice(0, end);
}

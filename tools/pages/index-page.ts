/** The start page: what the README says first, the figures of the results, and every page with a line on it. */
import { escapeHtml } from "../../lib/util/escape-html";
import { attributeOf } from "./html";
import { relativePath } from "./links";

/** A page on the start page's lists. */
export interface Card {
  page: string;
  label: string;
  /** A line on what it shows; plain text. */
  summary: string;
}

export interface CardSection {
  title: string;
  /** Anchor of the section on the start page. */
  id: string;
  cards: readonly Card[];
}

const INDEX = "index.html";

function cards({ title, id, cards }: CardSection): string {
  const items = cards.map(
    ({ page, label, summary }) =>
      `<li><a href="${escapeHtml(page)}">${escapeHtml(label)}</a><p>${escapeHtml(summary)}</p></li>`,
  );
  return `<h2 id="${id}">${escapeHtml(title)}</h2>\n<ul class="cards">\n${items.join("\n")}\n</ul>`;
}

/**
 * Figures of a page in its order, each a link to the section that it is in.
 * @param page the page's place on the site
 * @param html its main part, links rewritten, headings with ids
 */
export function galleryOf(page: string, html: string): string {
  let section = "";
  const items: string[] = [];
  for (const [tag] of html.matchAll(/<h[23] id="[^"]*"|<img\b[^>]*>/g)) {
    if (tag.startsWith("<h")) section = attributeOf(tag, "id") ?? "";
    else {
      const [alt, src] = [attributeOf(tag, "alt") ?? "", attributeOf(tag, "src") ?? ""];
      if (src.startsWith("data:")) continue;
      const file = relativePath(INDEX, new URL(src, `file:///${page}`).pathname.slice(1));
      const image = `<img class="paper" src="${escapeHtml(file)}" alt="">`;
      const href = `${page}${section === "" ? "" : `#${section}`}`;
      items.push(`<li><a href="${escapeHtml(href)}">${image}<span>${escapeHtml(alt)}</span></a></li>`);
    }
  }
  return items.length === 0 ? "" : `<ul class="gallery">\n${items.join("\n")}\n</ul>`;
}

/**
 * The start page's main part.
 * @param intro of the README, links as they are seen from the start page
 * @param figures the results' gallery, empty where there is none
 */
export function indexHtml(intro: string, figures: string, sections: readonly CardSection[]): string {
  const [first, ...rest] = sections;
  return [
    intro,
    ...(first ? [cards(first)] : []),
    ...(figures === "" ? [] : [`<h2 id="figures">Figures</h2>\n${figures}`]),
    ...rest.map(cards),
  ].join("\n");
}

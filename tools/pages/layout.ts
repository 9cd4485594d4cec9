/** One page of the site: header, list of pages, neighbours, and the content between them. */
import { escapeHtml } from "../../lib/util/escape-html";
import type { Heading } from "./headings";
import { relativePath } from "./links";
import { CONTENT_SECURITY_POLICY } from "./policy";

/** A page as others link to it. */
export interface Entry {
  /** Its place on the site. */
  page: string;
  /** Plain text. */
  label: string;
}

export interface Section {
  title: string;
  entries: Entry[];
}

export interface PageContent {
  page: string;
  /** Plain text. */
  title: string;
  /** Plain text. */
  description: string;
  /** HTML of the main part. */
  html: string;
  headings: readonly Heading[];
  /** File that the page was made from, and its address on the web; null for the start page. */
  source: { file: string; href: string | null } | null;
}

/** What all pages have in common. */
export interface Frame {
  name: string;
  sections: readonly Section[];
  /** Links of the header. */
  top: readonly Entry[];
}

/** Says that a folder was made by this tool: only such a folder is replaced. */
export const GENERATOR = `<meta name="generator" content="fine-r1 pages">`;

const link = (from: string, { page, label }: Entry, attributes = ""): string =>
  `<a href="${escapeHtml(relativePath(from, page))}"${attributes}>${escapeHtml(label)}</a>`;

/** The current page's sections, below its entry in the list of pages. */
function contents(headings: readonly Heading[]): string {
  const sections = headings.filter(({ level }) => level === 2);
  if (sections.length === 0) return "";
  const items = sections.map(({ id, text }) => `<li><a href="#${escapeHtml(id)}">${escapeHtml(text)}</a></li>`);
  return `<ul>${items.join("")}</ul>`;
}

function listOfPages({ sections }: Frame, { page, headings }: PageContent): string {
  const item = (entry: Entry): string =>
    entry.page === page
      ? `<li>${link(page, entry, ' aria-current="page"')}${contents(headings)}</li>`
      : `<li>${link(page, entry)}</li>`;
  return sections
    .map(({ title, entries }) => `<h2>${escapeHtml(title)}</h2>\n<ul>\n${entries.map(item).join("\n")}\n</ul>`)
    .join("\n");
}

/** Links to the pages before and after, by their names or, above the content, as "previous" and "next". */
function neighbours({ sections }: Frame, page: string, place: "above" | "below"): string {
  const all = sections.flatMap(({ entries }) => entries);
  const at = all.findIndex((entry) => entry.page === page);
  const one = (entry: Entry | undefined, rel: "prev" | "next", short: string): string => {
    if (!entry) return "";
    if (place === "below") return link(page, entry, ` rel="${rel}"`);
    return link(page, { ...entry, label: short }, ` rel="${rel}" title="${escapeHtml(entry.label)}"`);
  };
  const links = one(all[at - 1], "prev", "Previous") + one(all[at + 1], "next", "Next");
  const label = place === "above" ? "Previous and next page" : "Neighbouring pages";
  return `<nav class="neighbours" aria-label="${label}">${links}</nav>`;
}

/** A page's HTML. Figures and tables to explore, if it holds any, have scripts of their own. */
export function pageHtml(frame: Frame, content: PageContent): string {
  const { page, title, description, html, source } = content;
  const asset = (name: string): string => escapeHtml(relativePath(page, `assets/${name}`));
  const full = title === frame.name ? title : `${title} · ${frame.name}`;
  const plotly = html.includes('class="plotly-figure')
    ? `<script defer src="${asset("plotly.min.js")}"></script>\n`
    : "";
  const tables = html.includes('class="explore-table"')
    ? `<script defer src="${asset("explore-table.js")}"></script>\n`
    : "";
  const path = source === null ? "" : `<code>${escapeHtml(source.file)}</code>`;
  const from = source?.href ? `<a href="${escapeHtml(source.href)}">${path}</a>` : path;
  const current = (entry: Entry): string => (entry.page === page ? ' aria-current="page"' : "");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(CONTENT_SECURITY_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
${GENERATOR}
<meta name="description" content="${escapeHtml(description)}">
<title>${escapeHtml(full)}</title>
<link rel="icon" href="${asset("icon.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${asset("site.css")}">
${plotly}${tables}<script defer src="${asset("site.js")}"></script>
</head>
<body>
<a class="skip" href="#site-main">Skip to the content</a>
<header class="site-header">
<div class="brand">${link(page, { page: "index.html", label: frame.name })}</div>
<nav aria-label="Main">${frame.top.map((entry) => link(page, entry, current(entry))).join("\n")}
<a class="to-pages" href="#site-pages">All pages</a></nav>
</header>
<div class="columns">
<main id="site-main" tabindex="-1">
${source === null ? "" : `<div class="place"><span>${from}</span>${neighbours(frame, page, "above")}</div>\n`}<div class="content">
${html}
</div>
${neighbours(frame, page, "below")}
</main>
<nav class="pages" id="site-pages" aria-label="All pages">
${listOfPages(frame, content)}
</nav>
</div>
</body>
</html>
`;
}

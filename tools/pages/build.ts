/** The site: every page in memory first, then written into a folder that takes the old one's place. */
import * as fs from "node:fs";
import * as path from "node:path";
import { tableScript } from "../../lib/report/explore-table";
import { root as ownRoot } from "../environment";
import { idsOf } from "./html";
import { introOf, summaryOf, titleOf, withHeadings, type Heading } from "./headings";
import { galleryOf, indexHtml } from "./index-page";
import { GENERATOR, pageHtml, type Entry, type Frame } from "./layout";
import { linkedFiles, pageOf, rewriteLinks, type LinkContext } from "./links";
import { renderPages } from "./render";
import { repositoryAddress } from "./repository";
import { groupsOf, mainSources, README } from "./sources";

const NAME = "Fine-R1";
const INDEX = "index.html";
const RESULTS = "docs/results.md";

/** Anchor of a section of the start page. */
const sectionId = (title: string): string => title.toLowerCase();

export interface SiteOptions {
  /** Repository that the site shows. */
  root: string;
  /** Folder that the site is written to; an earlier site there is replaced. */
  out: string;
}

export interface Site {
  /** HTML by place on the site. */
  pages: ReadonlyMap<string, string>;
  /** Files copied from the repository, from its root; on the site they lie in the same place. */
  copied: readonly string[];
}

/** Renders the main files, and the documents that they link to, and so on. */
function renderAll(root: string): Map<string, string> {
  const rendered = new Map<string, string>();
  let wanted = mainSources(root);
  while (wanted.length > 0) {
    const more = renderPages(root, wanted);
    more.forEach((html, file) => rendered.set(file, html));
    const linked = [...more].flatMap(([file, html]) => linkedFiles(file, html));
    const documents = linked.map((file) => {
      const readme = path.posix.join(file, "README.md");
      return fs.existsSync(path.join(root, readme)) ? readme : file;
    });
    wanted = [...new Set(documents)].filter(
      (file) => file.endsWith(".md") && !rendered.has(file) && fs.existsSync(path.join(root, file)),
    );
  }
  return rendered;
}

/** @throws Error where two elements of a page have one id, as two cells' style sheets would then meet */
function checkIds(file: string, html: string): void {
  const ids = idsOf(html);
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i);
  if (twice.length > 0) throw new Error(`${file}: the id "${twice[0]}" is used twice on its page`);
}

/** @throws Error where two files would be one page */
function checkPlaces(files: readonly string[]): void {
  const owners = new Map([[INDEX, "the start page"]]);
  for (const file of files) {
    const place = pageOf(file);
    const owner = owners.get(place);
    if (owner !== undefined)
      throw new Error(`${file}: its page would be ${place}, which is that of ${owner}; rename it`);
    owners.set(place, file);
  }
}

interface Document {
  file: string;
  title: string;
  summary: string;
  html: string;
  headings: Heading[];
}

/** The rendered files with headings, titles and links as the site has them. */
function documentsOf(rendered: ReadonlyMap<string, string>, context: LinkContext): [Map<string, Document>, string[]] {
  const copied = new Set<string>();
  const problems: string[] = [];
  const documents = new Map<string, Document>();
  for (const [file, raw] of rendered) {
    const rewritten = rewriteLinks(file, raw, context);
    problems.push(...rewritten.problems);
    rewritten.copied.forEach((one) => copied.add(one));
    const { html, headings } = withHeadings(rewritten.html);
    checkIds(file, html);
    documents.set(file, { file, title: titleOf(file, headings), summary: summaryOf(raw), html, headings });
  }
  if (problems.length > 0) throw new Error(`Links that lead nowhere:\n${problems.join("\n")}`);
  return [documents, [...copied].sort()];
}

/**
 * Makes every page.
 * @throws Error naming the file: what no page can show, links that lead nowhere, no title or two, an id used twice
 */
export function makeSite(root: string): Site {
  const rendered = renderAll(root);
  const files = [...rendered.keys()];
  checkPlaces(files);
  const anchors = new Map(
    [...rendered].map(([file, html]) => [file, new Set(withHeadings(html).headings.map(({ id }) => id))]),
  );
  const repository = repositoryAddress(root);
  const [documents, copied] = documentsOf(rendered, { root, anchors, repository });

  const groups = groupsOf(files, linkedFiles(README, rendered.get(README)!));
  const entry = (file: string): Entry => ({ page: pageOf(file), label: documents.get(file)!.title });
  const start = [
    { page: INDEX, label: "Overview" },
    { page: pageOf(README), label: "README" },
  ];
  const frame: Frame = {
    name: NAME,
    sections: [
      { title: "Start", entries: start },
      ...groups.map(({ title, files }) => ({ title, entries: files.map(entry) })),
    ],
    top: [
      start[1],
      ...groups.slice(0, 2).map(({ title }) => ({ page: `${INDEX}#${sectionId(title)}`, label: title })),
      ...(documents.has(RESULTS) ? [entry(RESULTS)] : []),
    ],
  };
  const pages = new Map<string, string>();
  for (const { file, title, summary, html, headings } of documents.values()) {
    const source = { file, href: repository === null ? null : `${repository}/blob/HEAD/${file}` };
    pages.set(
      pageOf(file),
      pageHtml(frame, { page: pageOf(file), title, description: summary, html, headings, source }),
    );
  }

  const readme = documents.get(README)!;
  const results = documents.get(RESULTS);
  const sections = groups.map(({ title, files }) => ({
    title,
    id: sectionId(title),
    cards: files.map((file) => ({ ...entry(file), summary: documents.get(file)!.summary })),
  }));
  const html = indexHtml(introOf(readme.html), results ? galleryOf(pageOf(RESULTS), results.html) : "", sections);
  checkIds(INDEX, html);
  pages.set(
    INDEX,
    pageHtml(frame, {
      page: INDEX,
      title: readme.title,
      description: readme.summary,
      html,
      headings: [],
      source: null,
    }),
  );
  return { pages, copied };
}

/** @throws Error where `out` holds something that this tool did not make */
function checkOut(root: string, out: string): void {
  if (!path.relative(out, root).startsWith("..")) throw new Error(`${out}: the site would replace the repository`);
  if (!fs.existsSync(out) || (fs.statSync(out).isDirectory() && fs.readdirSync(out).length === 0)) return;
  const index = path.join(out, INDEX);
  if (!fs.existsSync(index) || !fs.readFileSync(index, "utf8").includes(GENERATOR))
    throw new Error(`${out}: holds something that is no site of this tool; choose another folder (--out DIR)`);
}

/**
 * Builds the site into `out`. It is written beside it first: a build that fails leaves an earlier site as it was.
 * @throws Error as `makeSite` does, and where `out` holds something else than a site
 */
export function buildSite({ root, out }: SiteOptions): Site {
  const target = path.resolve(out);
  checkOut(path.resolve(root), target);
  const site = makeSite(root);
  const temporary = `${target}.${process.pid}.tmp`;
  const write = (place: string, content: string | Buffer): void => {
    const file = path.join(temporary, place);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, content);
  };
  try {
    site.pages.forEach((html, page) => write(page, html));
    for (const file of site.copied) write(file, fs.readFileSync(path.join(root, file)));
    const assets = path.join(__dirname, "assets");
    for (const name of fs.readdirSync(assets)) write(`assets/${name}`, fs.readFileSync(path.join(assets, name)));
    const plotly = path.join(ownRoot, "node_modules/plotly.js-dist-min/plotly.min.js");
    write("assets/plotly.min.js", fs.readFileSync(plotly));
    write("assets/explore-table.js", tableScript());
    const old = `${target}.${process.pid}.old`;
    if (fs.existsSync(target)) fs.renameSync(target, old);
    fs.renameSync(temporary, target);
    fs.rmSync(old, { recursive: true, force: true });
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
  return site;
}

/**
 * Links between the repository's files, as links between the site's pages. The site keeps the repository's folders, so
 * `docs/results.md` is `docs/results.html`.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { escapeHtml } from "../../lib/util/escape-html";
import { attributeOf } from "./html";

/** A link's target below the repository's root. */
export interface Target {
  /** Path from the root, `/` between folders; empty for the root itself. */
  file: string;
  /** Without `#`; empty where the link has none. */
  anchor: string;
}

/** What links are resolved against. */
export interface LinkContext {
  /** Repository's folder. */
  root: string;
  /** Anchors of each file that has a page. */
  anchors: ReadonlyMap<string, ReadonlySet<string>>;
  /** Web address of the repository; null where there is none. */
  repository: string | null;
}

/** Files that are copied to the site where a page links to them. */
const COPIED = /\.(?:svg|png|jpe?g|webp|gif|csv|json)$/i;

/** Where the page of a document or notebook lies on the site. */
export const pageOf = (file: string): string => file.replace(/\.(?:md|ipynb)$/, ".html");

/** An address that leads out of the repository: kept as it is. */
const isOutside = (address: string): boolean => /^(?:https?:\/\/|mailto:)/i.test(address);

/**
 * Where an address in a file leads.
 * @param from file that holds the link, from the repository's root
 * @returns null for an address on the web
 * @throws Error where it leads out of the repository, is no relative path or is badly encoded
 */
export function targetOf(from: string, address: string): Target | null {
  if (isOutside(address)) return null;
  if (/^[a-z][a-z0-9+.-]*:|^\/|\\|\?/i.test(address)) throw new Error("no relative path and no web address");
  const [place, anchor = ""] = address.split("#", 2);
  const folder = path.posix.dirname(from);
  const file = place === "" ? from : path.posix.normalize(path.posix.join(folder, decodeURIComponent(place)));
  if (file === ".." || file.startsWith("../")) throw new Error("outside of the repository");
  return { file: file === "." ? "" : file.replace(/\/$/, ""), anchor: decodeURIComponent(anchor) };
}

/** Relative path from one of the site's files to another. */
export function relativePath(from: string, to: string): string {
  return path.posix.relative(path.posix.dirname(from), to) || path.posix.basename(to);
}

/** Files that a page links to, from the repository's root; what leads nowhere is left to `rewriteLinks`. */
export function linkedFiles(file: string, html: string): string[] {
  return [...html.matchAll(/<a\b[^>]*>/g)].flatMap(([tag]) => {
    try {
      const target = targetOf(file, attributeOf(tag, "href") ?? "");
      return target === null ? [] : [target.file];
    } catch {
      return [];
    }
  });
}

export interface RewrittenPage {
  html: string;
  /** Files to be copied to the site, from the repository's root. */
  copied: string[];
  /** One line for each link that leads nowhere: file, target, reason. */
  problems: string[];
}

const encodePath = (file: string): string => file.split("/").map(encodeURIComponent).join("/");
const withAnchor = (address: string, anchor: string): string =>
  anchor === "" ? address : `${address}#${encodeURIComponent(anchor)}`;

/** Where a link goes on the site; null where only its text is to be shown. @throws Error with a reason */
function addressOf(
  from: string,
  { file, anchor }: Target,
  context: LinkContext,
): { href: string | null; copy: boolean } {
  const { root, anchors, repository } = context;
  const full = path.join(root, file);
  if (!fs.existsSync(full)) throw new Error("no such file");
  const isFolder = fs.statSync(full).isDirectory();
  const readme = path.posix.join(file, "README.md");
  const document = isFolder && anchors.has(readme) ? readme : file;
  const known = anchors.get(document);
  const page = pageOf(from);
  if (known) {
    if (anchor !== "" && !known.has(anchor)) throw new Error(`no heading has the anchor #${anchor}`);
    const href = document === from && anchor !== "" ? "" : encodePath(relativePath(page, pageOf(document)));
    return { href: withAnchor(href, anchor), copy: false };
  }
  if (!isFolder && COPIED.test(file)) return { href: encodePath(relativePath(page, file)), copy: true };
  if (repository === null) return { href: null, copy: false };
  const kind = isFolder ? "tree" : "blob";
  return { href: withAnchor(`${repository}/${kind}/HEAD/${encodePath(file)}`, anchor), copy: false };
}

/**
 * A page with its links and images as the site has them. A link to a source file is one to the repository's web
 * address, or its text alone where there is none.
 * @param file the page's source, from the repository's root
 */
export function rewriteLinks(file: string, html: string, context: LinkContext): RewrittenPage {
  const copied = new Set<string>();
  const problems: string[] = [];
  const resolve = (address: string): string | null => {
    try {
      const target = targetOf(file, address);
      if (target === null) return address;
      const { href, copy } = addressOf(file, target, context);
      if (copy) copied.add(target.file);
      return href;
    } catch (error) {
      problems.push(`${file}: link to "${address}": ${(error as Error).message}`);
      return null;
    }
  };
  const linked = html.replace(/<a\b[^>]*>([^]*?)<\/a>/g, (link: string, text: string) => {
    const address = attributeOf(link.slice(0, link.indexOf(">") + 1), "href");
    if (address === null) return link;
    const href = resolve(address);
    return href === null ? `<span class="source">${text}</span>` : `<a href="${escapeHtml(href)}">${text}</a>`;
  });
  const complete = linked.replace(/<img\b[^>]*>/g, (tag) => {
    const address = attributeOf(tag, "src") ?? "";
    if (address.startsWith("data:image/")) return tag;
    const src = isOutside(address) ? null : resolve(address);
    if (isOutside(address)) problems.push(`${file}: image from the network, "${address}": put it into the repository`);
    return tag.replace(/\ssrc="[^"]*"/, ` src="${escapeHtml(src ?? "")}"`);
  });
  return { html: complete, copied: [...copied], problems };
}

/** Which files become pages, and in what order they are read. */
import * as fs from "node:fs";
import * as path from "node:path";
import { compareText } from "../../lib/util/text";

/** The start page's source. */
export const README = "README.md";

const filesOf = (root: string, folder: string, ending: string): string[] => {
  const full = path.join(root, folder);
  if (!fs.existsSync(full)) return [];
  const names = fs.readdirSync(full).filter((name) => name.endsWith(ending));
  return names.sort(compareText).map((name) => `${folder}/${name}`);
};

/** README, notebooks and docs/: what has a page whether linked to or not. Paths from the repository's root. */
export function mainSources(root: string): string[] {
  return [README, ...filesOf(root, "notebooks", ".ipynb"), ...filesOf(root, "docs", ".md")];
}

/** A part of the site's list of pages. */
export interface Group {
  title: string;
  files: string[];
}

/**
 * Pages in the order they are read: notebooks by name, documents in the order in which the README first links to them,
 * then those it does not link to.
 * @param files all files that have a page, README aside or not
 * @param linked what the README links to, in order
 */
export function groupsOf(files: readonly string[], linked: readonly string[]): Group[] {
  const place = (file: string): number => (linked.includes(file) ? linked.indexOf(file) : linked.length);
  const documents = files
    .filter((file) => file.endsWith(".md") && file !== README)
    .sort((a, b) => place(a) - place(b) || compareText(a, b));
  const isMain = (file: string): boolean => file.startsWith("docs/");
  return [
    { title: "Notebooks", files: files.filter((file) => file.endsWith(".ipynb")).sort(compareText) },
    { title: "Documents", files: documents.filter(isMain) },
    { title: "Folders", files: documents.filter((file) => !isMain(file)) },
  ].filter((group) => group.files.length > 0);
}

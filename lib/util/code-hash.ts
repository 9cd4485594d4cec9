/** A hash of code that comments and formatting do not change. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import * as path from "node:path";
import * as esbuild from "esbuild";
import { repositoryRoot } from "./root";

/** What white space and comment signs belong to: texts, characters, and numbers (`10'000`). */
const LITERAL = String.raw`"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\b\d(?:'?[\w.])*`;

/** Replaces what matches outside of literals. */
const outside = (code: string, pattern: string, by: string): string =>
  code.replace(new RegExp(`(${LITERAL})|${pattern}`, "g"), (_, literal?: string) => literal ?? by);

/** Spaces that part no two words and no two operators (`a - -b`). */
const IDLE_SPACE = String.raw`(?<![\w"']) (?![-+&|<>=*/:])|(?<![-+&|<>=*/:]) (?![\w"'])`;

/**
 * C++ without comments and idle white space; each directive on a line of its own. Literals stay as they are; raw
 * strings are not used in this project's code.
 */
export function plainCpp(source: string): string {
  const bare = outside(source.replace(/\\\r?\n/g, " "), String.raw`//[^\n]*|/\*[\s\S]*?\*/`, " ");
  return bare
    .split(/^([ \t]*#[^\n]*)$/m)
    .map((part, i) => {
      const code = outside(part, String.raw`\s+`, " ").trim();
      return i % 2 === 1 ? `\n${code}\n` : outside(code, IDLE_SPACE, "");
    })
    .join("");
}

function filesBelow(place: string): string[] {
  if (!statSync(place).isDirectory()) return [place];
  return readdirSync(place)
    .sort()
    .flatMap((name) => filesBelow(path.join(place, name)));
}

/** TypeScript as JavaScript without types, comments and formatting, by file. One call of esbuild for all files. */
function plainTypeScript(files: readonly string[]): Map<string, string> {
  if (files.length === 0) return new Map();
  const root = repositoryRoot();
  const { outputFiles } = esbuild.buildSync({
    absWorkingDir: root,
    entryPoints: [...files],
    outdir: path.join(root, ".code-hash"), // nothing is written: it gives the outputs their names
    outbase: root,
    bundle: false,
    write: false,
    minifyWhitespace: true,
    legalComments: "none",
    logLevel: "silent",
  });
  const texts = new Map(
    outputFiles.map((file) => [path.relative(path.join(root, ".code-hash"), file.path), file.text]),
  );
  return new Map(files.map((file) => [file, texts.get(path.relative(root, file).replace(/\.ts$/, ".js"))!]));
}

/**
 * SHA-256 over the code of files and folders below the repository: TypeScript and C++ without comments and formatting,
 * any other file as it is.
 * @param roots relative to the repository
 */
export function hashCode(roots: readonly string[]): string {
  const root = repositoryRoot();
  const files = roots.flatMap((one) => filesBelow(path.join(root, one)));
  const typeScript = plainTypeScript(files.filter((file) => file.endsWith(".ts")));
  const hash = createHash("sha256");
  for (const file of files) {
    const name = path.relative(root, file).split(path.sep).join("/");
    const isCpp = /\.(cc|h|inc)$/.test(file);
    const plain = typeScript.get(file) ?? (isCpp ? plainCpp(readFileSync(file, "utf8")) : readFileSync(file));
    hash.update(`${name}\0`).update(plain).update("\0");
  }
  return hash.digest("hex");
}

/** What is changed in a cell's text before the compiler sees it. Nothing moves: positions stay those of the cell. */
"use strict";

/** Something that has no meaning in a cell, said in plain words at its place. */
class CellSyntaxError extends Error {
  constructor(sourceFile, position, message) {
    const { line, character } = sourceFile.getLineAndCharacterOfPosition(position);
    super(`${line + 1}:${character + 1} - ${message}`);
    this.name = "TypeScriptError";
  }
}

const spaces = (text) => text.replace(/[^\r\n]/g, " ");

/**
 * `export` stands before `import`'s six letters too: `export { a } from "m"` brings in what `import { a } from "m"`
 * does.
 */
function reexported(ts, statement, sourceFile) {
  const start = statement.getStart(sourceFile);
  const { exportClause } = statement;
  if (exportClause === undefined) {
    const message = "`export * from` names nothing: import what the cell needs by name";
    throw new CellSyntaxError(sourceFile, start, message);
  }
  const bare = ts.isNamedExports(exportClause)
    ? exportClause.elements.find((element) => element.name.text === "default")
    : undefined;
  if (bare) {
    const message = '`export { default } from` gives no name: write `import name from "…"`';
    throw new CellSyntaxError(sourceFile, bare.getStart(sourceFile), message);
  }
  return [start, start + "export".length, "import"];
}

/** What a statement's `export` becomes: [start, end, text of the same length]; null where it has none. */
function exportEdit(ts, statement, sourceFile) {
  const start = statement.getStart(sourceFile);
  if (ts.isExportDeclaration(statement)) {
    if (statement.moduleSpecifier) return reexported(ts, statement, sourceFile);
    const renamed = statement.exportClause.elements.find(
      (element) => element.propertyName && element.name.text !== "default",
    );
    if (renamed) {
      const message = `a cell has no exports to rename: write \`const ${renamed.name.text} = ${renamed.propertyName.text};\``;
      throw new CellSyntaxError(sourceFile, renamed.getStart(sourceFile), message);
    }
    return [start, statement.end, null];
  }
  if (ts.isExportAssignment(statement)) {
    if (statement.isExportEquals)
      throw new CellSyntaxError(sourceFile, start, "`export =` has no meaning in a cell: leave it out");
    return [start, statement.expression.getStart(sourceFile), null];
  }
  const modifiers = (ts.canHaveModifiers(statement) && ts.getModifiers(statement)) || [];
  const [first, second] = modifiers;
  if (first?.kind !== ts.SyntaxKind.ExportKeyword) return null;
  if (second?.kind !== ts.SyntaxKind.DefaultKeyword) return [first.getStart(sourceFile), first.end, null];
  const from = first.getStart(sourceFile);
  // `export default function () {}` declares nothing; as a statement of its own it needs something before it
  return [from, second.end, statement.name ? null : "void".padStart(second.end - from)];
}

/**
 * A cell's text without `export`, so that library code can be pasted: `export const x = 1` is `const x = 1`,
 * `export {}` nothing, `export { a } from "m"` an import. A namespace keeps its own exports.
 *
 * @throws CellSyntaxError where an export has no such meaning
 */
function withoutExports(ts, code) {
  if (!/\bexport\b/.test(code)) return code;
  const sourceFile = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, true);
  let text = code;
  for (const statement of sourceFile.statements) {
    const edit = exportEdit(ts, statement, sourceFile);
    if (edit === null) continue;
    const [start, end, replacement] = edit;
    text = text.slice(0, start) + (replacement ?? spaces(text.slice(start, end))) + text.slice(end);
  }
  return text;
}

/**
 * tslab takes `await` for an identifier where it is followed by "(" or stands in `for await`, unless one stood before.
 */
function withAwait(code) {
  return /\bawait\b/.test(code) ? `await 0;${code}` : code;
}

module.exports = { CellSyntaxError, withAwait, withoutExports };

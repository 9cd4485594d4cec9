/** What the checker knows of earlier cells: their declarations, one entry for each name and statement. */
"use strict";

/**
 * @typedef {object} Declaration
 * @property {string} name
 * @property {boolean} value it names something at run time
 * @property {boolean} type it names a type
 * @property {string} text the statement
 */

/** Names that an import brings in, each as an import of its own. */
function importedNames(ts, statement, sourceFile) {
  const clause = statement.importClause;
  if (!clause) return [];
  const from = statement.moduleSpecifier.getText(sourceFile);
  const keyword = clause.isTypeOnly ? "import type" : "import";
  const names = clause.name ? [[clause.name.text, clause.name.text]] : [];
  const { namedBindings } = clause;
  if (namedBindings && ts.isNamespaceImport(namedBindings))
    names.push([namedBindings.name.text, `* as ${namedBindings.name.text}`]);
  else if (namedBindings)
    for (const element of namedBindings.elements) names.push([element.name.text, `{ ${element.getText(sourceFile)} }`]);
  return names.map(([name, what]) => ({ name, text: `${keyword} ${what} from ${from};` }));
}

/** Whether a statement's name is a value, a type or both; null for a statement that is neither kept nor known. */
function meaningOf(ts, statement) {
  if (ts.isFunctionDeclaration(statement)) return { value: true, type: false };
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) return { value: false, type: true };
  const both = [ts.isClassDeclaration, ts.isEnumDeclaration, ts.isModuleDeclaration, ts.isImportEqualsDeclaration];
  return both.some((is) => is(statement)) ? { value: true, type: true } : null;
}

/**
 * The declarations of one cell.
 *
 * @param text the declaration file that the compiler wrote for it
 * @param imports what each imported name is, { value, type }
 * @returns {Declaration[]}
 */
function splitDeclarations(ts, text, imports) {
  const sourceFile = ts.createSourceFile("cell.d.ts", text, ts.ScriptTarget.Latest, true);
  return sourceFile.statements.flatMap((statement) => {
    if (ts.isImportDeclaration(statement))
      return importedNames(ts, statement, sourceFile).map((entry) => ({
        ...entry,
        ...(imports.get(entry.name) ?? { value: true, type: true }),
      }));
    if (ts.isVariableStatement(statement)) {
      const comment = text.slice(statement.pos, statement.getStart(sourceFile));
      const list = statement.declarationList;
      const keyword = text.slice(list.getStart(sourceFile)).match(/^\w+/)[0];
      return list.declarations.map((declaration) => ({
        name: declaration.name.getText(sourceFile),
        value: true,
        type: false,
        text: `${comment}declare ${keyword} ${declaration.getText(sourceFile)};`,
      }));
    }
    const meaning = meaningOf(ts, statement);
    if (meaning === null || !statement.name) return [];
    return [{ name: statement.name.getText(sourceFile), ...meaning, text: statement.getFullText(sourceFile) }];
  });
}

/**
 * Earlier declarations with those of a new cell. A name that is declared again is the new one's; where only its value
 * or only its type is declared again, the other stays, as `any` where the old statement declared both.
 */
function mergeDeclarations(earlier, fresh) {
  const again = new Map();
  for (const { name, value, type } of fresh) {
    const known = again.get(name) ?? { value: false, type: false };
    again.set(name, { value: known.value || value, type: known.type || type });
  }
  const kept = earlier.flatMap((entry) => {
    const now = again.get(entry.name) ?? { value: false, type: false };
    if (!(entry.value && now.value) && !(entry.type && now.type)) return [entry];
    if (entry.value && !now.value)
      return [{ name: entry.name, value: true, type: false, text: `declare let ${entry.name}: any;` }];
    return [];
  });
  return [...kept, ...fresh];
}

const declarationText = (declarations) => declarations.map(({ text }) => text.trim()).join("\n");

module.exports = { declarationText, mergeDeclarations, splitDeclarations };

/** Which function is being called where the cursor stands. */
"use strict";

/**
 * Where the name of the innermost call around a position ends, one character before; null where there is none. A call
 * that is still being written has no closing bracket and goes on to the end.
 */
function callAt(ts, code, position) {
  const sourceFile = ts.createSourceFile("cell.ts", code, ts.ScriptTarget.Latest, true);
  let found = null;
  const end = (node) => {
    const last = node.getChildren(sourceFile).at(-1);
    return last?.kind === ts.SyntaxKind.CloseParenToken ? last.getStart(sourceFile) : code.length;
  };
  const visit = (node) => {
    const isCall = ts.isCallExpression(node) || ts.isNewExpression(node);
    if (isCall && node.arguments && position >= node.arguments.pos && position <= end(node)) found = node.expression;
    ts.forEachChild(node, visit);
  };
  visit(sourceFile);
  return found === null ? null : found.end - 1;
}

module.exports = { callAt };

/**
 * What a cell is compiled to. Its variables stay variables of its own function; other cells read and write them through
 * accessors that the cell hands over, so an assignment in a later cell is seen by the functions of this one.
 *
 *   let seed = 1;                    __cell__.declare({ seed: [() => seed, (value) => seed = value] });
 *   const show = () => seed;   ->    let seed = 1; …
 *
 *   seed = 2; show()           ->    __earlier__.seed = 2; __cell__.result((0, __earlier__.show)())
 */
"use strict";

const CELL = "__cell__";
const EARLIER = "__earlier__";

/** `let` and `var` may be assigned by other cells; the checker refuses it for everything else. */
function isAssignable(ts, symbol) {
  const declaration = symbol?.valueDeclaration;
  if (!declaration || !(ts.isVariableDeclaration(declaration) || ts.isBindingElement(declaration))) return false;
  return !(ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const);
}

/** `var`, `enum` and `namespace` are undefined before their line is run; what else is declared throws until then. */
function isHoisted(ts, symbol) {
  const flags = ts.SymbolFlags.FunctionScopedVariable | ts.SymbolFlags.Enum | ts.SymbolFlags.ValueModule;
  return symbol !== undefined && (symbol.flags & flags) !== 0 && !(symbol.flags & ts.SymbolFlags.Function);
}

/** Expressions: names of earlier cells, and a look at the interrupt after every `await`. */
function expressionVisitor(ts, checker, declarations, context) {
  const { factory } = context;
  // One of its top-level names itself: a property of a type that is written there is no variable.
  const isEarlier = (symbol) => symbol !== undefined && declarations.locals?.get(symbol.escapedName) === symbol;
  const earlier = (name, node) =>
    ts.setTextRange(factory.createPropertyAccessExpression(factory.createIdentifier(EARLIER), name), node);
  const resumed = (...args) =>
    factory.createCallExpression(
      factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "resumed"),
      undefined,
      args,
    );
  const earlierName = (node) => ts.isIdentifier(node) && isEarlier(checker.getSymbolAtLocation(node));

  /** `f()` must not become a method call: `this` would be the earlier cells' variables. */
  function callee(node) {
    if (!earlierName(node)) return ts.visitNode(node, visit);
    const name = factory.createPropertyAccessExpression(factory.createIdentifier(EARLIER), node.text);
    return factory.createParenthesizedExpression(factory.createComma(factory.createNumericLiteral(0), name));
  }

  function shorthand(node) {
    if (!isEarlier(checker.getShorthandAssignmentValueSymbol(node))) return ts.visitEachChild(node, visit, context);
    const value = earlier(node.name.text, node.name);
    const initializer = node.objectAssignmentInitializer && ts.visitNode(node.objectAssignmentInitializer, visit);
    return factory.createPropertyAssignment(
      node.name.text,
      initializer ? factory.createAssignment(value, initializer) : value,
    );
  }

  function forAwait(node) {
    const loop = ts.visitEachChild(node, visit, context);
    const body = factory.createBlock([factory.createExpressionStatement(resumed()), loop.statement], true);
    return factory.updateForOfStatement(loop, loop.awaitModifier, loop.initializer, loop.expression, body);
  }

  function visit(node) {
    if (earlierName(node)) return earlier(node.text, node);
    if (ts.isShorthandPropertyAssignment(node)) return shorthand(node);
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression))
      return factory.updateCallExpression(
        node,
        callee(node.expression),
        undefined,
        ts.visitNodes(node.arguments, visit),
      );
    if (ts.isTaggedTemplateExpression(node) && ts.isIdentifier(node.tag))
      return factory.updateTaggedTemplateExpression(
        node,
        callee(node.tag),
        undefined,
        ts.visitNode(node.template, visit),
      );
    if (ts.isAwaitExpression(node)) return resumed(ts.visitEachChild(node, visit, context));
    if (ts.isForOfStatement(node) && node.awaitModifier) return forAwait(node);
    return ts.visitEachChild(node, visit, context);
  }
  return visit;
}

/** `__cell__.declare({ name: [read, write or null, is hoisted], … });` */
function declareStatement(ts, factory, names, locals) {
  const arrow = (parameters, body) =>
    factory.createArrowFunction(undefined, undefined, parameters, undefined, undefined, body);
  const properties = names.map((name) => {
    const symbol = locals.get(name);
    const value = factory.createUniqueName("value");
    const write = isAssignable(ts, symbol)
      ? arrow(
          [factory.createParameterDeclaration(undefined, undefined, value)],
          factory.createAssignment(factory.createIdentifier(name), value),
        )
      : factory.createNull();
    const hoisted = isHoisted(ts, symbol) ? factory.createTrue() : factory.createFalse();
    return factory.createPropertyAssignment(
      name,
      factory.createArrayLiteralExpression([arrow([], factory.createIdentifier(name)), write, hoisted]),
    );
  });
  const declare = factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "declare");
  return factory.createExpressionStatement(
    factory.createCallExpression(declare, undefined, [factory.createObjectLiteralExpression(properties, true)]),
  );
}

/** tslab appends `export {every name}`; types among them are gone by now, and so the rest are the cell's values. */
const isExportList = (ts, node) => ts.isExportDeclaration(node) && !node.moduleSpecifier;

/**
 * A transformer for the cell, to run after the compiler's own.
 *
 * @param declarations the file with the declarations of earlier cells
 */
function cellTransformer(ts, { checker, declarations, cell }) {
  return (context) => (file) => {
    const { factory } = context;
    const names = file.statements
      .filter((node) => isExportList(ts, node))
      .flatMap((node) => node.exportClause.elements.map((element) => element.name.text));
    const own = file.statements.filter((node) => !isExportList(ts, node));
    const statements = ts.visitNodes(
      factory.createNodeArray(own),
      expressionVisitor(ts, checker, declarations, context),
    );
    const body = [...statements];
    const last = body[body.length - 1];
    if (last && ts.isExpressionStatement(last)) {
      const result = factory.createPropertyAccessExpression(factory.createIdentifier(CELL), "result");
      const call = factory.createCallExpression(result, undefined, [last.expression]);
      body[body.length - 1] = factory.updateExpressionStatement(last, call);
    }
    const declare = names.length > 0 ? [declareStatement(ts, factory, names, cell.locals ?? new Map())] : [];
    const empty = factory.createExportDeclaration(undefined, false, factory.createNamedExports([]));
    return factory.updateSourceFile(file, [...declare, ...body, empty]);
  };
}

/** The function that a cell's CommonJS text becomes; the text begins on its second line. */
function wrapCell(code, isAsync) {
  return `(${isAsync ? "async " : ""}function (${CELL}, ${EARLIER}, exports, require) {\n${code}\n})`;
}

module.exports = { cellTransformer, wrapCell };

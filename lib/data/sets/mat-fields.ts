/** Typed access to the variables of a set's `.mat` files; every error names file, variable and element. */
import { readMat, type MatValue } from "../mat";

/** A MAT-file's variable. */
export function variable(file: string, name: string): MatValue {
  const variables = readMat(file);
  const found = variables.get(name);
  if (found === undefined) throw new Error(`${file}: no variable "${name}"; it has ${[...variables.keys()].join(", ") || "none"}`);
  return found;
}

/** An array of integers, whatever its shape. */
export function integers(value: MatValue | undefined, where: string): number[] {
  if (value?.kind !== "numeric") throw new Error(`${where}: ${value?.kind ?? "missing"}; numbers expected`);
  const wrong = value.data.findIndex((x) => !Number.isInteger(x));
  if (wrong >= 0) throw new Error(`${where}, element ${wrong + 1}: ${value.data[wrong]}; an integer expected`);
  return value.data;
}

/** A single integer. */
export function integer(value: MatValue | undefined, where: string): number {
  const numbers = integers(value, where);
  if (numbers.length !== 1) throw new Error(`${where}: ${numbers.length} numbers; one expected`);
  return numbers[0];
}

/** A single row of text. */
export function text(value: MatValue | undefined, where: string): string {
  if (value?.kind !== "text" || value.rows.length !== 1) throw new Error(`${where}: ${value?.kind ?? "missing"}; one row of text expected`);
  return value.rows[0].trim();
}

/** A cell array of text. */
export function texts(value: MatValue | undefined, where: string): string[] {
  if (value?.kind !== "cell") throw new Error(`${where}: ${value?.kind ?? "missing"}; cells of text expected`);
  return value.cells.map((cell, i) => text(cell, `${where}, element ${i + 1}`));
}

/** Typed access to the variables of a set's `.mat` files; every error names file, variable and element. */
import { readMat, type MatValue } from "../../formats/mat";

/** A MAT-file's variable. */
export function variable(file: string, name: string): MatValue {
  const variables = readMat(file);
  const found = variables.get(name);
  if (found === undefined)
    throw new Error(`${file}: no variable "${name}"; it has ${[...variables.keys()].join(", ") || "none"}`);
  return found;
}

/** An array of numbers, whatever its shape. */
export function numbers(value: MatValue | undefined, where: string): number[] {
  if (value?.kind !== "numeric") throw new Error(`${where}: ${value?.kind ?? "missing"}; numbers expected`);
  return value.data;
}

/** A number that is an integer. */
export function whole(value: number, where: string): number {
  if (!Number.isInteger(value)) throw new Error(`${where}: ${value}; an integer expected`);
  return value;
}

/** A single integer. */
export function integer(value: MatValue | undefined, where: string): number {
  const all = numbers(value, where);
  if (all.length !== 1) throw new Error(`${where}: ${all.length} numbers; one expected`);
  return whole(all[0], where);
}

/** A single row of text. */
export function text(value: MatValue | undefined, where: string): string {
  if (value?.kind !== "text" || value.rows.length !== 1)
    throw new Error(`${where}: ${value?.kind ?? "missing"}; one row of text expected`);
  return value.rows[0].trim();
}

/** The cells of a cell array. */
export function cells(value: MatValue | undefined, where: string): readonly MatValue[] {
  if (value?.kind !== "cell") throw new Error(`${where}: ${value?.kind ?? "missing"}; cells of text expected`);
  return value.cells;
}

/** A cell array of text. */
export function texts(value: MatValue | undefined, where: string): string[] {
  return cells(value, where).map((cell, i) => text(cell, `${where}, element ${i + 1}`));
}

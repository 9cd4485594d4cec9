/** Options of `npm run torture`. */

/** A whole number of at least 1 after `name` on the command line. @throws Error for anything else */
export function option(name: string, otherwise: number): number {
  const at = process.argv.indexOf(name);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${name}: a whole number of at least 1 expected`);
  return value;
}

/** A variant of a case: words joined by commas. `peers/variant.py` reads them the same way. */

/** `bf16,b=20` is `{ bf16: true, b: 20 }`. */
export function words(variant: string): Record<string, number | true> {
  const pairs = variant
    .split(",")
    .filter((word) => word !== "")
    .map((word) => word.split("="));
  return Object.fromEntries(pairs.map(([name, value]) => [name, value === undefined ? true : Number(value)]));
}

/** The words that are numbers, with defaults. @throws Error on another word than those of `defaults` and `flags` */
export function numbers<T extends Record<string, number>>(
  variant: string,
  defaults: T,
  flags: readonly string[] = [],
): T {
  const given = Object.entries(words(variant)).filter(([name]) => !flags.includes(name));
  for (const [name, value] of given) {
    if (!(name in defaults) || !Number.isFinite(value))
      throw new Error(
        `variant ${JSON.stringify(variant)}: ${name} is not known; expected ${[...flags, ...Object.keys(defaults).map((key) => `${key}=N`)].join(", ")}`,
      );
  }
  return { ...defaults, ...Object.fromEntries(given) };
}

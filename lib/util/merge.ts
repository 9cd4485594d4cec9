/** Settings laid over settings. */

/** Any part of a nested record. */
export type DeepPartial<T> = { [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

/** `base` with the values of `change` in place of its own, at every depth; neither is changed. */
export function merge<T extends object>(base: T, change: DeepPartial<T>): T {
  const out = { ...base };
  for (const key of Object.keys(change) as (keyof T)[]) {
    const value = change[key] as unknown;
    out[key] = (typeof value === "object" && value !== null ? merge(base[key] as object, value) : value) as T[keyof T];
  }
  return out;
}

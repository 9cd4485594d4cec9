/**
 * Seeded random numbers without global state: a seed is derived from what it is for (`foldIn(seed, step, example)`),
 * so that the same run makes the same draws whatever was drawn before it.
 * Generator: sfc32 (Chris Doty-Humphrey, PractRand), seeded through splitmix32.
 */

/** A stream of random numbers, and the few draws this project needs. */
export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Integer in [0, n). */
  integer(n: number): number;
  /** Standard normal (Box-Muller). */
  normal(): number;
  /** One element; throws on an empty list. */
  choice<T>(items: readonly T[]): T;
  /** A shuffled copy (Fisher-Yates). */
  shuffle<T>(items: readonly T[]): T[];
  /** `k` distinct elements in random order; throws when there are fewer. */
  sample<T>(items: readonly T[], k: number): T[];
}

function splitmix32(state: number): () => number {
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** Derives a new 32-bit seed from a seed and any number of integers or strings. Order matters. */
export function foldIn(seed: number, ...data: (number | string)[]): number {
  let h = seed | 0;
  const mix = (x: number): void => {
    h = splitmix32(h ^ Math.imul(x | 0, 0x85ebca6b))() | 0;
  };
  for (const item of data) {
    if (typeof item === "number") mix(item);
    else for (let i = 0; i < item.length; i++) mix(item.charCodeAt(i) + (i << 16));
  }
  return h >>> 0;
}

/** A generator for `seed` (any 32-bit integer). */
export function random(seed: number): Random {
  const next = splitmix32(seed | 0);
  let a = next() | 0;
  let b = next() | 0;
  let c = next() | 0;
  let d = 1;
  const uint32 = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) uint32();
  const uniform = (): number => uint32() / 4294967296;
  const integer = (n: number): number => Math.floor(uniform() * n);
  const shuffle = <T>(items: readonly T[]): T[] => {
    const out = items.slice();
    for (let i = out.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  };
  return {
    uniform,
    integer,
    shuffle,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
    choice: <T>(items: readonly T[]): T => {
      if (items.length === 0) throw new Error("random.choice: the list is empty");
      return items[integer(items.length)];
    },
    sample: <T>(items: readonly T[], k: number): T[] => {
      if (k > items.length) throw new Error(`random.sample: ${k} asked of a list of ${items.length}`);
      return shuffle(items).slice(0, k);
    },
  };
}

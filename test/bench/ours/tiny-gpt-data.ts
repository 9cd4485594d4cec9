/** Sizes, initial parameters and tokens of the small decoder: plain numbers, the same on every side. */

/** Sizes, all of them; the feed-forward width is 4 x `d`. */
export interface GptSize {
  /** Vocabulary. */
  v: number;
  /** Width. */
  d: number;
  layers: number;
  heads: number;
  /** Tokens of a row. */
  t: number;
  /** Rows of a batch. */
  b: number;
}

/** 1.2 M parameters, 2,048 tokens. */
export const TINY: GptSize = { v: 1024, d: 128, layers: 4, heads: 4, t: 128, b: 16 };

/** Number `i` of stream `stream`, uniform in [0, 1): the same in every language with double precision. */
export function pseudoRandom(stream: number, i: number): number {
  const x = Math.sin(i * 12.9898 + stream * 78.233) * 43758.5453;
  return x - Math.floor(x);
}

/** Names and shapes of the parameters, in the order of their streams; vectors are ones. */
export function gptShapes({ v, d, layers }: GptSize): [string, number[]][] {
  const layer = (l: number): [string, number[]][] => [
    [`l${l}.n1`, [d]],
    [`l${l}.q`, [d, d]],
    [`l${l}.k`, [d, d]],
    [`l${l}.v`, [d, d]],
    [`l${l}.o`, [d, d]],
    [`l${l}.n2`, [d]],
    [`l${l}.g`, [4 * d, d]],
    [`l${l}.u`, [4 * d, d]],
    [`l${l}.d`, [d, 4 * d]],
  ];
  return [["emb", [v, d]], ...Array.from({ length: layers }, (_, l) => layer(l)).flat(), ["nf", [d]]];
}

/** Initial values: uniform with standard deviation 0.02. */
export function gptValues(size: GptSize): [string, number[], Float32Array][] {
  return gptShapes(size).map(([name, shape], stream) => {
    const values = new Float32Array(shape.reduce((n, side) => n * side, 1));
    if (shape.length === 1) values.fill(1);
    else for (let i = 0; i < values.length; i++) values[i] = 0.02 * Math.sqrt(3) * (2 * pseudoRandom(stream, i) - 1);
    return [name, shape, values];
  });
}

/** Token ids of a batch and what follows each: [b * t] both. */
export function gptBatch({ v, b, t }: GptSize): { ids: Int32Array; targets: Int32Array } {
  const draw = (stream: number): Int32Array =>
    Int32Array.from({ length: b * t }, (_, i) => Math.floor(v * pseudoRandom(stream, i)));
  return { ids: draw(1001), targets: draw(1002) };
}

/**
 * Changes of good files, as data that fast-check draws and shrinks: bytes are overwritten, cut and repeated, numbers
 * become absurd, values of JSON become others, and keys get names that mean something to JavaScript.
 */
import * as fc from "fast-check";

/** One change of bytes; places are thousandths of the length, so that they mean something in any file. */
export type ByteEdit =
  | { kind: "flip"; at: number; bit: number }
  | { kind: "number"; at: number; value: bigint; bytes: 1 | 2 | 4 | 8; little: boolean }
  | { kind: "cut"; at: number }
  | { kind: "insert"; at: number; bytes: Uint8Array }
  | { kind: "remove"; at: number; length: number }
  | { kind: "repeat"; at: number; length: number; times: number };

const PLACES = 1_000_000;
/** Headers and footers are where a format says what it is: two of three changes are made there. */
const place: fc.Arbitrary<number> = fc.oneof(
  fc.nat(PLACES),
  fc.nat(PLACES / 20),
  fc.nat(PLACES / 8).map((n) => PLACES - n),
);

/** Lengths, offsets and counts at which code goes wrong. */
const absurd = fc.constantFrom(
  ...[0n, 1n, 2n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn],
  ...[1n << 40n, (1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n],
);

const byteEdit: fc.Arbitrary<ByteEdit> = fc.oneof(
  fc.record({ kind: fc.constant("flip" as const), at: place, bit: fc.nat(7) }),
  fc.record({
    kind: fc.constant("number" as const),
    at: place,
    value: absurd,
    bytes: fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const),
    little: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("cut" as const), at: place }),
  fc.record({ kind: fc.constant("insert" as const), at: place, bytes: fc.uint8Array({ minLength: 1, maxLength: 24 }) }),
  fc.record({ kind: fc.constant("remove" as const), at: place, length: fc.integer({ min: 1, max: 64 }) }),
  fc.record({
    kind: fc.constant("repeat" as const),
    at: place,
    length: fc.integer({ min: 1, max: 256 }),
    times: fc.constantFrom(1, 2, 100),
  }),
);

/** Bytes with one change made. */
export function editBytes(bytes: Buffer, edit: ByteEdit): Buffer {
  const at = Math.floor((edit.at / PLACES) * bytes.length);
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (edit.kind) {
    case "flip": {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] ^= 1 << edit.bit;
      return copy;
    }
    case "number": {
      const copy = Buffer.from(bytes);
      const number = Buffer.alloc(8);
      number.writeBigUInt64LE(edit.value);
      const part = number.subarray(0, edit.bytes);
      (edit.little ? part : part.reverse()).copy(copy, at);
      return copy;
    }
    case "cut":
      return before;
    case "insert":
      return Buffer.concat([before, edit.bytes, after]);
    case "remove":
      return Buffer.concat([before, after.subarray(edit.length)]);
    case "repeat":
      return Buffer.concat([before, ...Array<Buffer>(edit.times).fill(after.subarray(0, edit.length)), after]);
  }
}

/** Bytes of one of some good files, with up to `most` changes. */
export const editedBytes = (seeds: readonly Buffer[], most = 4): fc.Arbitrary<Buffer> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(byteEdit, { maxLength: most }))
    .map(([seed, edits]) => edits.reduce(editBytes, seed));

/** Values of which JSON text is made by hand, since `JSON.stringify` has no form for them. */
const RAW: Readonly<Record<string, string>> = {
  "@nan@": "NaN",
  "@infinity@": "-Infinity",
  "@huge@": "1e999",
  "@beyond@": "9007199254740993",
  "@long@": "1".repeat(400),
  "@deep@": `${"[".repeat(100_000)}${"]".repeat(100_000)}`,
  "@deep object@": `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
  "@lone@": '"\\ud800"',
};

const hostileText = fc.constantFrom(
  ...[
    "",
    " ",
    "..",
    "../../etc/passwd",
    "/dev/zero",
    "C:\\x",
    "a\0b",
    "__proto__",
    "constructor",
    "toString",
    "\ud800",
  ],
  ...["\u001b]52;c;aGk=\u0007", "<img src=x onerror=alert(1)>", "<|im_end|>", "<image>", "\u202e", "x".repeat(5000)],
  ...["(a+)+$", "[", "model.safetensors", "F32", "F64", "BF16", "%s%n", "NaN", "-1", "1e9"],
);

const hostileValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -0, -1, 1, 0.5, 3, 255, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 53), 1e308),
  fc.constantFrom(...Object.keys(RAW)),
  hostileText,
  fc.constantFrom<unknown>([], {}, [[]], [{}], [null], [0, 2 ** 53], [2 ** 40, 2 ** 40], { length: 3 }, [[0, 1], 2]),
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: "binary", maxLength: 12 }),
);

const hostileKey = fc.constantFrom("__proto__", "constructor", "prototype", "hasOwnProperty", "toString", "length", "");

/** One change of a value of JSON. `pick` chooses the place. */
export type JsonEdit =
  | { kind: "replace"; pick: number; value: unknown }
  | { kind: "delete"; pick: number }
  | { kind: "add"; pick: number; key: string; value: unknown }
  | { kind: "rename"; pick: number; key: string }
  | { kind: "copy"; pick: number; from: number };

const jsonEdit: fc.Arbitrary<JsonEdit> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("replace" as const), pick: fc.nat(9999), value: hostileValue }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("delete" as const), pick: fc.nat(9999) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      pick: fc.nat(9999),
      key: fc.oneof(hostileKey, hostileText),
      value: hostileValue,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rename" as const), pick: fc.nat(9999), key: hostileKey }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("copy" as const), pick: fc.nat(9999), from: fc.nat(9999) }) },
);

/** Somewhere in a value of JSON: the object or list, and the key in it. */
type Spot = [owner: Record<string, unknown>, key: string];

function spotsOf(value: unknown, spots: Spot[] = []): Spot[] {
  if (typeof value !== "object" || value === null) return spots;
  for (const key of Object.keys(value)) {
    spots.push([value as Record<string, unknown>, key]);
    spotsOf((value as Record<string, unknown>)[key], spots);
  }
  return spots;
}

/** Sets a key of its own, whatever its name; a list gets one element more where the key is none of its places. */
function define(owner: object, key: string, value: unknown): void {
  if (Array.isArray(owner) && !/^\d+$/.test(key)) owner.push(value);
  else Object.defineProperty(owner, key, { value, enumerable: true, configurable: true, writable: true });
}

function applyJson(root: { value: unknown }, edit: JsonEdit): void {
  const spots = spotsOf(root);
  const [owner, key] = spots[edit.pick % spots.length];
  const inside = owner[key];
  if (edit.kind === "delete") delete owner[key];
  else if (edit.kind === "replace") define(owner, key, structuredClone(edit.value));
  else if (edit.kind === "add")
    define(typeof inside === "object" && inside !== null ? inside : owner, edit.key, structuredClone(edit.value));
  else if (edit.kind === "rename") {
    delete owner[key];
    define(owner, edit.key, inside);
  } else {
    const [from, name] = spots[edit.from % spots.length];
    define(owner, key, structuredClone(from[name]));
  }
}

/** A value of JSON, changed; the given one stays. */
function editedValue(seed: unknown, edits: readonly JsonEdit[]): unknown {
  const root = { value: structuredClone(seed) };
  for (const edit of edits) if ("value" in root) applyJson(root, edit);
  return root.value ?? null;
}

const toJson = (value: unknown): string =>
  (JSON.stringify(value) ?? "null").replace(/"(@[a-z ]+@)"/g, (all, name: string) => RAW[name] ?? all);

/** What an editor, a cut-off download or another writer makes of a text. */
const textEdit = fc.oneof(
  { weight: 6, arbitrary: fc.constant((text: string) => text) },
  {
    weight: 2,
    arbitrary: fc.constantFrom<(text: string) => string>(
      (text) => `\uFEFF${text}`,
      (text) => text.replace(/,/g, ",\r\n"),
      (text) => `${text}\n${text}`,
      (text) => `[${text}]`,
      (text) => "[".repeat(100_000) + text,
      () => "",
    ),
  },
  { weight: 1, arbitrary: fc.nat(PLACES).map((at) => (text: string) => text.slice(0, (at / PLACES) * text.length)) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(20), hostileValue).map(([pick, value]) => (text: string) => {
      const keys = [...text.matchAll(/"[^"\\]{0,60}":/g)]; // a key twice: the last counts
      return keys.length === 0 ? text : text.replace("{", `{${keys[pick % keys.length][0]}${toJson(value)},`);
    }),
  },
);

/** Text of JSON: one of some good values, with up to `most` changes. */
export const editedJson = (seeds: readonly unknown[], most = 4): fc.Arbitrary<string> =>
  fc
    .tuple(fc.constantFrom(...seeds), fc.array(jsonEdit, { maxLength: most }), textEdit)
    .map(([seed, edits, written]) => written(toJson(editedValue(seed, edits))));

/** The same as bytes, of which one may be changed. */
export const editedJsonBytes = (seeds: readonly unknown[], most = 4): fc.Arbitrary<Buffer> =>
  fc
    .tuple(editedJson(seeds, most), fc.option(byteEdit, { freq: 5, nil: null }))
    .map(([text, edit]) => (edit === null ? Buffer.from(text) : editBytes(Buffer.from(text), edit)));

/** A text of data: names, values and paths that mean something to somebody. */
export const hostileTexts = hostileText;

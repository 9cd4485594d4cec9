/**
 * Do two words share a stem? Used to keep names out of their own descriptions: a visual word that shares a stem with
 * a name of its domain would spell out the answer (the paper drops such concepts too).
 *
 * The rule is deliberately wide, it may call unrelated words related but not the other way round:
 * 1. endings are stripped (plural, -ed, -ing, -y, -er ...), and equal stems count;
 * 2. a common beginning of at least four letters counts when it covers the shorter stem but for at most two letters;
 * 3. a word or stem of at least four letters inside the other word counts (`nosehorn` / `nose`);
 * 4. a three-letter word counts at the end of the other word, or at its start (`lowcar`, `carbody` / `car`).
 */

const ENDINGS = ["ings", "ing", "iest", "ier", "ies", "ied", "ers", "ness", "less", "ful", "like", "ish", "est", "ed", "er", "es", "ly", "s", "y", "e"]; // prettier-ignore

/** Four-letter beginnings that English words share by accident: reviewed pairs [visual word, name's word]. */
const UNRELATED: readonly (readonly [string, string])[] = [["antennae", "ant"]];

/** A word's stem: one ending off, when at least three letters stay; a doubled last consonant is made single. */
export function stem(word: string): string {
  const w = word.toLowerCase();
  for (const ending of ENDINGS) {
    if (!w.endsWith(ending) || w.length - ending.length < 3) continue;
    if (ending === "s" && w.endsWith("ss")) continue;
    const rest = w.slice(0, -ending.length);
    const last = rest.length - 1;
    return rest[last] === rest[last - 1] && !"aeiouls".includes(rest[last]) && rest.length > 3
      ? rest.slice(0, -1)
      : rest;
  }
  return w;
}

/** Both words in lower case. */
function related(a: string, b: string): boolean {
  if (UNRELATED.some(([word, name]) => word === a && name === b)) return false;
  const [x, y] = [stem(a), stem(b)];
  if (x === y) return true;
  const [short, long] = x.length <= y.length ? [x, y] : [y, x];
  const whole = short === x ? b : a;
  if (short.length >= 4 && (long.includes(short) || whole.includes(short))) return true;
  const threeLetters = short.length === 3 && (short === a || short === b);
  if (threeLetters && (whole.startsWith(short) || whole.endsWith(short) || long.endsWith(short))) return true;
  let common = 0;
  while (common < short.length && short[common] === long[common]) common++;
  return common >= 4 && common >= short.length - 2;
}

/** One word stands whole inside the other: `cake` in `shortcake`. */
function inside(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  return short.length >= 4 && long.includes(short);
}

const STOP_WORDS = new Set(["and", "the", "with"]);

/** The words of a name: lower case, at least three letters, no stop words. */
function words(name: string): string[] {
  return (name.toLowerCase().match(/[a-z]{3,}/g) ?? []).filter((word) => !STOP_WORDS.has(word));
}

/**
 * The first name that has a word sharing a stem with `word`; null where none has. With `compounds: false` a word whose
 * stem is shorter than four letters may stand inside a compound (`cake` in `shortcake`): for tags, which give away
 * less.
 */
export function sharesStem(
  word: string,
  names: Iterable<string>,
  options: { compounds?: boolean } = {},
): string | null {
  const { compounds = true } = options;
  const lower = word.toLowerCase();
  const shares = (part: string): boolean => related(lower, part) || (compounds && inside(lower, part));
  for (const name of names) if (words(name).some(shares)) return name;
  return null;
}

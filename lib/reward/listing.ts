/** Which known names a text names: the check against answers that list every option (deviation 5). */

/** What nothing else contains: put in place of a matched name, so that its neighbours do not join. */
const TAKEN = "\u0000";

/**
 * Lower case, composed letters (Unicode's NFC): "é" is one character, whether it was typed so or, as a Mac writes the
 * names of folders, as "e" and an accent. ASCII is only lowered.
 */
export function lowerComposed(text: string): string {
  return text.toLowerCase().normalize("NFC");
}

/** Lower case, composed (`lowerComposed`), `_` to space: the form in which names and answers are compared. */
export function normaliseName(name: string): string {
  return lowerComposed(name).replace(/_/g, " ");
}

/**
 * The distinct `names` that occur in `answer`, normalised, longest first. A longer name is matched first and its text
 * taken out, so that a name contained in a longer one ("fox" in "arctic fox") is not counted unless it stands elsewhere
 * too. Matching is by inclusion, as in the accuracy reward: what would score there is seen here.
 */
export function namesIn(answer: string, names: Iterable<string>): string[] {
  const known = [...new Set([...names].map(normaliseName))].filter((name) => name.trim() !== "");
  known.sort((a, b) => b.length - a.length || (a < b ? -1 : 1));
  let text = normaliseName(answer);
  return known.filter((name) => {
    if (!text.includes(name)) return false;
    text = text.split(name).join(TAKEN);
    return true;
  });
}

/** How many distinct `names` the answer names; two or more is a listing. */
export function listing(answer: string, names: Iterable<string>): number {
  return namesIn(answer, names).length;
}

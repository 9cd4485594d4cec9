/** The study's tables as one page, `results.md`. */
import { toMarkdown, type TableRow } from "../../report/tables";
import { DOMAINS_NOTE, SEEDS_NOTE } from "./breakdown";
import { PLANNED_SIZE, type StudyTables } from "./tables";
import { EXCLUDED_NOTE } from "./test-tables";

const BESIDE_DEV_NOTE =
  "In points. The half width expected is that of dev's seeds at the test group's number of sub-categories; it says nothing of seeds that dev does not have.";
const WORDS_NOTE =
  "In %: of the words that the sub-category is known by, those that the model's analysis has; of the analysis, those that are true; the accuracy by how many of the true words it has; and in wrong answers, the words of the analysis that are of what is answered, and of the truth.";
const METHODS_NOTE =
  "Inclusion only: the number of answers, of all seeds, that hold the name and are not the name alone. Exact match counts them as wrong.";
const EXPLORATORY_NOTE =
  "Chosen beside the hypotheses and without correction: with this many differences some have a small p by chance.";

/** A heading, notes and a table; nothing without rows. */
const section = (title: string, rows: readonly TableRow[], ...notes: readonly string[]): string[] =>
  rows.length === 0 ? [] : [`## ${title}`, ...notes, toMarkdown(rows)];

/** What width to expect of the study, in a sentence. */
export function plannedText({ halfWidth, seeds }: NonNullable<StudyTables["planned"]>): string {
  const width = `${(100 * halfWidth).toFixed(2)} points to either side`;
  const { subcategories, seeds: all } = PLANNED_SIZE;
  return seeds === 1
    ? `One seed's interval at ${subcategories} sub-categories: that of \`tapo\` - \`sft\` would be ${width}. One seed says nothing about the spread between seeds.`
    : `At ${subcategories} sub-categories and ${all} seeds the interval of \`tapo\` - \`sft\` would be ${width}.`;
}

/**
 * @param benchmark its name
 * @param group the name of its folder
 * @param tables with the seeds of each precision of matrix products (`seedsByProducts`)
 */
export function resultsText(
  benchmark: string,
  group: string,
  seeds: readonly number[],
  { products, ...tables }: StudyTables & { products: Readonly<Record<string, string>> },
): string {
  const { methods, tests, testNotes, excluded, bySeed, byDomain, exploratory, besideDev, words, planned } = tables;
  return `${[
    `# The study on ${benchmark}`,
    `Made by \`npm run study -- --on ${group} --seeds ${seeds.join(",")}\`; seeds ${seeds.join(", ")}. Accuracy in % by text inclusion, 95 % intervals of a two-level bootstrap over seeds and sub-categories. The hypotheses' tests are the [protocol](../protocol.md)'s; what is described beside them is in its [addendum](../addendum.md).`,
    "## Methods",
    toMarkdown(methods),
    METHODS_NOTE,
    `Matrix products, by seed: ${Object.entries(products)
      .map(([name, which]) => `${name}: ${which}`)
      .join("; ")}.`,
    "## Hypotheses",
    tests.length === 0 ? "None can be tested yet." : toMarkdown(tests),
    ...testNotes,
    ...(planned ? [plannedText(planned)] : []),
    ...section("What the intervals exclude", excluded, EXCLUDED_NOTE),
    ...section("Seeds", bySeed, SEEDS_NOTE),
    ...section("Domains", byDomain, DOMAINS_NOTE),
    ...section("Dev beside test", besideDev, BESIDE_DEV_NOTE),
    ...section("Exploratory, not corrected", exploratory, EXPLORATORY_NOTE),
    ...section("The words of the analysis", words, WORDS_NOTE),
  ].join("\n\n")}\n`;
}

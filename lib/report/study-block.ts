/** The study in the README: accuracy of each method, and what its hypotheses' differences are. From `results.json`. */
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { methodStyle } from "./figures-theme";
import { toMarkdown, type TableRow } from "./tables";

/** What is shown of `docs/study/<group>/results.json`. */
interface StudyResults {
  seeds: number[];
  methods: TableRow[];
  tests: TableRow[];
}

/** Columns with an interval in brackets, which the README leaves out. */
const CELLS = ["closed seen", "closed unseen", "open seen", "open unseen"];

/** `48.0 [45.0, 51.0]` without its interval. */
const point = (cell: unknown): string => String(cell).split(" ")[0];

/** TAPO with switches, as the papers of these methods call them (`lib/experiment/ablations/variants.ts`). */
const NEAREST: Readonly<Record<string, string>> = {
  papo: "PAPO",
  "noisy-rollout": "NoisyRollout",
  "random-negative": "TAPO, random negative",
};

const labelOf = (name: string): string => NEAREST[name] ?? methodStyle(name).label;

/** Said of a method that has not all seeds. */
const fewerSeeds = (own: number, all: number): string => (own < all ? ` (${own} ${own === 1 ? "seed" : "seeds"})` : "");

/** `tapo - sft` in labels. */
const labelled = (difference: unknown): string => String(difference).split(" - ").map(labelOf).join(" - ");

/** The group whose results are shown: the test drawings' once they are there. */
export const shownGroup = (study: string): "test" | "dev" =>
  existsSync(path.join(study, "test", "results.json")) ? "test" : "dev";

/** @param study the folder `docs/study` */
export function studyBlock(study: string): string {
  const group = shownGroup(study);
  const { seeds, methods, tests } = JSON.parse(
    readFileSync(path.join(study, group, "results.json"), "utf8"),
  ) as StudyResults;
  const accuracies = methods.map((row) => ({
    method: `${labelOf(String(row.method))}${fewerSeeds(Number(row.seeds), seeds.length)}`,
    ...Object.fromEntries(CELLS.map((cell) => [cell, point(row[cell])])),
    mean: row.mean,
  }));
  const differences = tests.map((row) => ({
    hypothesis: row.hypothesis,
    difference: labelled(row.difference),
    "sub-categories": row["sub-categories"],
    points: row.points,
    "95 %": row["95 %"],
    "p (Holm)": row["p (Holm)"],
    holds: row.holds,
  }));
  const whose = group === "test" ? "Test drawings" : "Drawings for development";
  const count = seeds.length === 1 ? "one seed" : `${seeds.length} seeds`;
  return `${whose}, ${count}:\n\n${toMarkdown(accuracies)}\n${toMarkdown(differences)}`;
}

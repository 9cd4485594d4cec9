/** Evaluation questions: one row a drawing, from a seed. */
import { foldIn, random } from "../../util/random";
import { drawOptions } from "../options";
import type { EmojiFgvr } from "./benchmark";
import type { Concept, Domain, EvaluationRow } from "./types";

const QUESTIONS: Readonly<Record<Domain, string>> = {
  mammal: "What mammal is this?",
  creature: "What animal is this?",
  food: "What food or drink is this?",
  vehicle: "What vehicle is this?",
  flag: "Which country has this flag?",
  clothing: "What clothing or accessory is this?",
};

/** The question asked of every image of a domain. */
export function domainQuestion(domain: Domain): string {
  const question = QUESTIONS[domain];
  if (!question) throw new Error(`no question for domain "${domain}": known are ${Object.keys(QUESTIONS).join(", ")}`);
  return question;
}

const OPTIONS = 4;
const NEAR = 6;

/**
 * Four names of one neighbourhood of similar sub-categories, one of them the truth, shuffled (`drawOptions`). All share
 * the truth's domain and split, none contains another. The seed is per row.
 */
export function closedOptions(data: EmojiFgvr, truth: Concept, seed: number): string[] {
  const near = (concept: Concept): Concept[] => data.nearestNegatives(concept.id, { split: truth.split });
  if (near(truth).length < OPTIONS)
    throw new Error(
      `sub-category "${truth.name}": ${near(truth).length} others of its domain and split, ${OPTIONS} needed`,
    );
  return drawOptions(data.concept(truth.id), near, OPTIONS, NEAR, random(seed)).map((c) => c.name);
}

/** What to ask. */
export interface EvaluationRequest {
  /** whose drawings: `dev` while the recipe is chosen, `test` once it is frozen */
  readonly role: "dev" | "test";
  readonly setting: "closed" | "open";
  /** options and their order follow from it */
  readonly seed: number;
}

/** Rows for every drawing of the role, sub-category by sub-category; the same request gives the same rows. */
export function evaluationRows(data: EmojiFgvr, request: EvaluationRequest): EvaluationRow[] {
  const rows: EvaluationRow[] = [];
  for (const concept of data.subcategories()) {
    for (const drawing of data.drawings(concept, request.role)) {
      const seed = foldIn(request.seed, "options", concept.id, drawing.style);
      rows.push({
        image_path: drawing.path,
        question: domainQuestion(concept.domain),
        ...(request.setting === "closed" ? { options: closedOptions(data, concept, seed) } : {}),
        ground_truth: concept.name,
        domain: concept.domain,
        split: concept.split,
        setting: request.setting,
        designer: drawing.designer,
        concept_id: concept.id,
      });
    }
  }
  return rows;
}

/** Evaluation questions: one row a drawing, from a seed. */
import { foldIn, random } from "../../engine/random";
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

const HARDEST = 2;
const FROM = 10;

/**
 * Four names, one of them the truth, shuffled: its two most similar sub-categories, and one drawn from the rest of the
 * ten most similar. All share the truth's domain and split, none contains another. The seed is per row.
 */
export function closedOptions(data: EmojiFgvr, truth: Concept, seed: number): string[] {
  const stream = random(seed);
  const near = data.nearestNegatives(truth.id, { split: truth.split, limit: FROM });
  if (near.length <= HARDEST) throw new Error(`sub-category "${truth.name}": ${near.length} others of its domain and split, 3 needed`);
  const chosen = [...near.slice(0, HARDEST), stream.choice(near.slice(HARDEST))];
  return stream.shuffle([truth, ...chosen].map((c) => c.name));
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

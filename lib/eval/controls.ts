/** Controls of an evaluation: the same questions with another image, or none. Accuracy must fall to chance. */
import type { Question } from "../benchmark/types";

/** What is shown in place of a question's image. */
export type ImageControl = "own" | "permuted" | "none";

/**
 * Each question with the image of another sub-category of its domain and split (of any other one, where it has none).
 */
function permuted(questions: readonly Question[]): Question[] {
  return questions.map((question, i) => {
    const { domain, split, ground_truth } = question;
    const kin = questions.filter(
      (other) => other.domain === domain && other.split === split && other.ground_truth !== ground_truth,
    );
    const others = kin.length > 0 ? kin : questions.filter((other) => other.ground_truth !== ground_truth);
    if (others.length === 0) throw new Error(`permuted images: every question shows ${ground_truth}`);
    const { image_path, image } = others[Math.floor(i + others.length / 2) % others.length];
    return { ...question, shown: { image_path, image } };
  });
}

/** The questions under a control. @throws Error where all of them show one sub-category */
export function controlled(questions: readonly Question[], control: ImageControl): Question[] {
  if (control === "own") return [...questions];
  return control === "none" ? questions.map((question) => ({ ...question, shown: null })) : permuted(questions);
}

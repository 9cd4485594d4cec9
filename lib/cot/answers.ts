/**
 * Answer-only records: the question and the bare name, no rationale. They need no teacher, only images whose names are
 * known.
 */
import type { PromptSet } from "../benchmark/prompts";
import type { SftRecord } from "../formats/sharegpt";
import { formatAnswer } from "./rationale";

/** An image whose sub-category is known, and what is asked about it. */
export interface NamedImage {
  /** As the record names it. */
  image: string;
  /** The sub-category: the answer. */
  name: string;
  question: string;
  /** The options of a closed question, the name among them; open where not given. */
  options?: readonly string[];
}

/**
 * A sharegpt record (`writeSharegpt`) of each image, in order: `prompts.direct` with the question,
 * `<answer> name</answer>`.
 * @throws Error naming the image whose name or question is empty, or whose options lack the name
 */
export function answerRecords(images: readonly NamedImage[], prompts: PromptSet): SftRecord[] {
  return images.map(({ image, name, question, options }) => {
    if (name.trim() === "") throw new Error(`answerRecords: image ${image} has an empty name; give its sub-category`);
    if (question.trim() === "") throw new Error(`answerRecords: image ${image} has an empty question`);
    if (options && !options.includes(name))
      throw new Error(`answerRecords: image ${image}: the options lack its name ${JSON.stringify(name)}`);
    return {
      system: prompts.stage1System,
      user: prompts.direct(question, options),
      assistant: formatAnswer(name),
      image,
    };
  });
}

/**
 * What the model is asked. Two sets: the paper's words (Stage 2 and evaluation, `reference/prompts.json` of the
 * release) for real Qwen2.5-VL models, and a short one for the shipped tiny base, whose every prompt token costs CPU
 * time.
 */

/** Closed world: four options are given. Open world: the question alone. */
export type Setting = "closed" | "open";

/** Options in an order drawn for each image, or the truth first as in the released rows. */
export type OptionOrder = "shuffled" | "released";

/** Builds the text of a user turn; the image goes before it. */
export interface PromptSet {
  /** System message of Stage-1 records; null for the chat template's default. */
  readonly stage1System: string | null;
  /** Asks for the reasoning, then the answer. */
  reason(question: string, options?: readonly string[]): string;
  /** Asks for the answer only. */
  direct(question: string, options?: readonly string[]): string;
  /**
   * The user's turn of a Stage-1 record, with the options of a closed question.
   * @param of.direct its answer comes without reasoning
   */
  stage1(question: string, of: { options?: readonly string[]; direct: boolean }): string;
  /** Stage-2 layout: problem, blank line, format instruction. */
  stage2(problem: string): string;
}

/** Python's `repr` of a list of strings, as the release formats options: `['737-700', "Cooper's hawk"]`. */
export function pythonList(items: readonly string[]): string {
  const quote = (s: string): string => {
    const escaped = s.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
    return s.includes("'") && !s.includes('"') ? `"${escaped}"` : `'${escaped.replace(/'/g, "\\'")}'`;
  };
  return `[${items.map(quote).join(", ")}]`;
}

const stage2Suffix =
  "You first think through the reasoning process as an internal monologue, enclosed within <think> </think> tags. Then, provide your final answer enclosed within <answer> </answer> tags.";

/** The released prompts, to the letter (PKU-ICST-MIPL/FineR1_ICLR2026, MIT). */
export const paperPrompts: PromptSet = {
  stage1System:
    "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>",
  reason: (question, options) =>
    options
      ? `Given the question: ${question}, based on the options provided in ${pythonList(options)}, output the thinking process in <think> </think> and final choice in <answer> </answer> tags. The response format should be: <think>...</think> <answer>choice</answer>.`
      : `Given the question: ${question}. This is a fine-grained question. Output reasoning in <think></think> and the final answer in <answer></answer>.`,
  direct: (question, options) =>
    options
      ? `Given the question: ${question}, based on the options provided in ${pythonList(options)}, output the final choice in <answer> </answer> tags.`
      : `Given the question: ${question}. This is a fine-grained question. Output the final answer in <answer></answer>.`,
  stage1: (question, { options }) => listed(question, options),
  stage2: (problem) => `${problem.trim()}\n\n${stage2Suffix}`,
};

const listed = (question: string, options?: readonly string[]): string =>
  options ? `${question} Options: ${options.join(", ")}.` : question;

/** Short prompts of the shipped tiny base: the same four requests. */
export const tinyPrompts: PromptSet = {
  stage1System: null,
  reason: (question, options) => `${listed(question, options)} Think first.`,
  direct: (question, options) => `${listed(question, options)} Answer.`,
  stage1: (question, { options, direct }) => (direct ? tinyPrompts.direct : tinyPrompts.reason)(question, options),
  stage2: (problem) => `${problem.trim()} Think first.`,
};

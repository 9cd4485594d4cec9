/** What names stand for, asked in text alone. */
import type { Knowledge } from "../../benchmark/emoji-fgvr/knowledge";
import { subcategoryOf } from "../../benchmark/types";
import { description, drawCandidates } from "../../cot/corpus";
import { formatAnswer } from "../../cot/rationale";
import type { Params } from "../../engine/tensorflow";
import type { ProbeRow, Probes } from "../../eval/probes";
import type { Conversation } from "../../processor/conversation";
import { foldIn, random } from "../../util/random";
import type { Experiment } from "../types";
import { groupRows } from "./samples";

/** A text-only question with four continuations, the first of them true. */
export interface TextChoice {
  split: string;
  probe: string;
  conversations: Conversation[];
}

/**
 * What a name stands for, asked without an image, four candidates of one neighbourhood each: which description follows
 * `Describe NAME.`, and which name follows a description. Chosen by the mean log-probability of a token.
 */
export function knowledgeQuestions(
  knowledge: readonly Knowledge[],
  { benchmark, prompts, settings }: Pick<Experiment, "benchmark" | "prompts" | "settings">,
): TextChoice[] {
  const turn = (user: string, assistant: string): Conversation => ({ image: null, turns: [{ user, assistant }] });
  return knowledge
    .filter((k) => k.evaluated && k.neighbours.length >= 3)
    .flatMap((k): TextChoice[] => {
      const r = random(foldIn(settings.seed, "knowledge", k.id));
      const candidates = [k, ...drawCandidates(k, 4, r).filter((other) => other !== k)];
      const texts = candidates.map((c) => description(c.colors, c.words));
      const { split } = subcategoryOf(benchmark, k.id);
      return [
        {
          split,
          probe: "text: name to attributes",
          conversations: texts.map((text) => turn(`Describe ${k.name}.`, text)),
        },
        {
          split,
          probe: "text: attributes to name",
          conversations: candidates.map((c) =>
            turn(prompts.direct(`${texts[0].trim()} ${k.question}`), formatAnswer(c.name)),
          ),
        },
      ];
    });
}

/** Which of the four continuations is the likeliest, of each question. */
export function knowledgeProbes(
  method: string,
  probes: Probes,
  params: Params,
  questions: readonly TextChoice[],
): ProbeRow[] {
  const scores = probes.textLogProbs(
    params,
    questions.flatMap((q) => q.conversations),
  );
  let at = 0;
  const right = questions.map((q) => {
    const own = scores.slice(at, (at += q.conversations.length));
    return own.every((score, i) => i === 0 || own[0] > score);
  });
  return groupRows(
    method,
    questions.map((q, i) => ({ ...q, right: right[i], chance: 1 / q.conversations.length })),
  );
}

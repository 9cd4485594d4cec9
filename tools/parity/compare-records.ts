/** The assistant's mask and the SFT loss of whole conversations, against TRL's assistant-only loss. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Conversation } from "../../lib/processor/conversation";
import { tf } from "../../lib/engine/tensorflow";
import { disposeTree } from "../../lib/engine/tree";
import { sftLoss } from "../../lib/loss/sft";
import type { LoadedModel } from "../../lib/model/checkpoint";
import { encodeImages } from "../../lib/model/vision";
import { visionInputs, visionPlan } from "../../lib/model/vision-plan";
import { conversationMessages, conversationRow } from "../../lib/processor/conversation";
import type { Processor } from "../../lib/processor/processor";
import { rowBatch } from "../../lib/train/batch";
import { rowLogProbs } from "../../lib/train/row-log-probs";
import type { Check } from "./checks";
import { same } from "./compare";

/** What training.py writes about conversations. */
export interface RecordsReference {
  rows: { input_ids: number[]; assistant_mask: number[] }[];
  /** Mean over all tokens of the assistant, in nats. */
  loss: number;
  tokens: number;
}

const IMAGE = "square.png";

/** Records as the stages have them: with and without a system message, one turn and several, one without an image. */
export const CONVERSATIONS: Conversation[] = [
  {
    image: IMAGE,
    turns: [
      {
        user: "Which bird is this?",
        assistant: "<think>It has red feathers and a crest.</think> <answer>northern cardinal</answer>",
      },
    ],
  },
  {
    system: "Answer shortly.",
    image: IMAGE,
    turns: [
      { user: "What is it? Options: A: 737-800, B: café", assistant: "<answer>A</answer>" },
      { user: "Are you sure?\n", assistant: "Yes, it's\nan aircraft 🙂" },
    ],
  },
  { image: null, turns: [{ user: "No image: say assistant", assistant: "assistant" }] },
  {
    image: IMAGE,
    turns: [
      { user: "Nothing to say?", assistant: "" },
      { user: "And now?", assistant: "  spaces  kept \n" },
    ],
  },
];

/** Writes the conversations as chat messages for training.py. */
export const writeConversations = (dir: string): void =>
  fs.writeFileSync(path.join(dir, "conversations.json"), JSON.stringify(CONVERSATIONS.map(conversationMessages)));

/** Compares ids, masks and the loss; the rows are packed as SFT packs them, two to a row. */
export async function compareRecords(
  dir: string,
  { config, params }: LoadedModel,
  processor: Processor,
  reference: RecordsReference,
): Promise<Check[]> {
  const image = await processor.image(path.join(dir, "images", IMAGE));
  const rows = CONVERSATIONS.map((conversation) => ({
    ...conversationRow(conversation, processor, image.grid, { newline: true }),
    image: conversation.image === null ? null : { grid: image.grid, first: 0 },
  }));
  const here = CONVERSATIONS.map((conversation) => conversationRow(conversation, processor, image.grid));
  const differing = rows.filter((row, i) => {
    const { input_ids: ids, assistant_mask: mask } = reference.rows[i];
    // both end with the last token that is predicted
    return !same(row.inputIds, ids) || !same(row.predicted.map(Number), mask);
  });
  const end = processor.tokenizer.tokenId("<|im_end|>");
  /** Tokens TRL trains and the loops here do not, but the newline after a turn. */
  const unexpected = here.reduce(
    (n, { predicted }, i) =>
      n +
      reference.rows[i].assistant_mask.filter(
        (on, t) => on !== Number(predicted[t] ?? false) && !(on === 1 && reference.rows[i].input_ids[t - 1] === end),
      ).length,
    0,
  );
  const batch = rowBatch([rows.slice(0, 2), rows.slice(2)], config, { lengthBucket: 8, placesBucket: 8 });
  const vision = visionInputs(visionPlan(config, [image.grid]));
  const loss = tf.tidy(() => {
    const pixels = tf.tensor2d(image.pixelValues, [
      image.grid[0] * image.grid[1] * image.grid[2],
      image.pixelValues.length / (image.grid[0] * image.grid[1] * image.grid[2]),
    ]);
    return sftLoss(
      rowLogProbs(params, config, encodeImages(params, config, pixels, vision), batch, 1),
      batch.weights,
    ).dataSync()[0];
  });
  disposeTree(batch, vision);
  return [
    { check: "conversations whose ids or assistant mask differ from TRL's", worst: differing.length, tolerance: 0 },
    { check: "tokens masked otherwise in the loops here, the turn's newline aside", worst: unexpected, tolerance: 0 },
    {
      check: `loss of ${reference.tokens} assistant tokens, TRL's mask, rows packed, |difference|`,
      worst: Math.abs(loss - reference.loss),
      tolerance: 1e-5,
    },
  ];
}

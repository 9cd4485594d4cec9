/** A dialogue to a training row: rendered by the chat template, loss on the assistant's turns only. */

import type { Grid } from "../model/vision-plan";
import type { Message } from "./chat-template";
import type { Processor } from "./processor";
import type { Tokenizer } from "./tokenizer";

/** One dialogue about at most one image. */
export interface Conversation {
  /** System message; absent for the chat template's default. */
  system?: string;
  /** Path of the drawing; null for text alone. */
  image: string | null;
  turns: readonly { user: string; assistant: string }[];
}

/** A row of tokens with what is predicted. */
export interface ConversationRow {
  inputIds: number[];
  /** True for the assistant's tokens and the `<|im_end|>` that closes each of its turns. */
  predicted: boolean[];
}

/** Options of the assistant's mask. */
export interface MaskOptions {
  /** Also the newline after `<|im_end|>`, as TRL's template for Qwen2.5-VL and LLaMA-Factory's have it; no response is ever sampled that far. Default false. */
  newline?: boolean;
}

/** The special tokens that delimit turns in Qwen's chat template. */
const IM_START = "<|im_start|>";
const IM_END = "<|im_end|>";

/** Qwen's chat template without its default system message: the tiny base's, whose every prompt token costs time. */
export const TINY_TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}" +
  "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>" +
  "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Messages of a conversation: the system message where there is one, the image before the first user text. */
export function conversationMessages(conversation: Conversation): Message[] {
  const system: Message[] = conversation.system === undefined ? [] : [{ role: "system", content: conversation.system }];
  const turns = conversation.turns.flatMap(({ user, assistant }, i): Message[] => [
    {
      role: "user",
      content:
        i === 0 && conversation.image !== null
          ? [
              { type: "image", image: conversation.image },
              { type: "text", text: user },
            ]
          : user,
    },
    { role: "assistant", content: assistant },
  ]);
  return [...system, ...turns];
}

/** Marks what the assistant says: after `<|im_start|>assistant\n`, up to and with `<|im_end|>`. */
export function assistantMask(
  ids: readonly number[],
  tokenizer: Tokenizer,
  { newline = false }: MaskOptions = {},
): boolean[] {
  const opening = tokenizer.encode(`${IM_START}assistant\n`);
  const [end] = tokenizer.encode(IM_END);
  const mask = new Array<boolean>(ids.length).fill(false);
  for (let i = 0; i + opening.length <= ids.length; i++) {
    if (!opening.every((id, j) => ids[i + j] === id)) continue;
    for (let j = i + opening.length; j < ids.length; j++) {
      mask[j] = true;
      if (ids[j] !== end) continue;
      if (newline && j + 1 < ids.length) mask[j + 1] = true;
      break;
    }
  }
  return mask;
}

/** Renders, expands and encodes a conversation about at most one image of `grid`; ends with the last predicted token. */
export function conversationRow(
  conversation: Conversation,
  processor: Processor,
  grid: Grid | null,
  options: MaskOptions = {},
): ConversationRow {
  const { inputIds } = processor.promptIds(
    conversationMessages(conversation),
    conversation.image === null || grid === null ? [] : [grid],
    false,
  );
  const predicted = assistantMask(inputIds, processor.tokenizer, options);
  const length = predicted.lastIndexOf(true) + 1;
  return { inputIds: inputIds.slice(0, length), predicted: predicted.slice(0, length) };
}

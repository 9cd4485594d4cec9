/** A dialogue to a training row: rendered by the chat template, loss on the assistant's turns only. */

import type { Grid } from "../model/vision-plan";
import { occurrences } from "../util/text";
import type { ContentPart, Message } from "./chat-template";
import { expandImageTokens, type Processor } from "./processor";
import { specialTokenIn, specialTokensOf } from "./special-tokens";

export { TINY_TEMPLATE } from "./chat-template";

/** One dialogue about at most one image. */
export interface Conversation {
  /** System message; absent for the chat template's default. */
  system?: string;
  /** Path of the drawing; null for text alone. */
  image: string | null;
  /** The image stands where the first user text has `<image>`, in front of it where it has none. */
  turns: readonly { user: string; assistant: string }[];
}

/** Where the image stands in a user's text. */
export const IMAGE_MARKER = "<image>";

/** A row of tokens with what is predicted. */
export interface ConversationRow {
  inputIds: number[];
  /** True for the assistant's tokens and the special token (`<|im_end|>`) that closes each of its turns. */
  predicted: boolean[];
}

/** Options of the assistant's mask. */
export interface MaskOptions {
  /**
   * Also the newline after `<|im_end|>`, as TRL's template for Qwen2.5-VL and LLaMA-Factory's have it; no response is
   * ever sampled that far. Default false.
   */
  newline?: boolean;
}

/**
 * The first user turn of a conversation with an image: the text, the image where the marker stands or else in front.
 */
function withImage(user: string, image: string): ContentPart[] {
  const [before, after] = user.includes(IMAGE_MARKER) ? user.split(IMAGE_MARKER) : ["", user];
  const text = (value: string): ContentPart[] => (value === "" ? [] : [{ type: "text", text: value }]);
  return [...text(before), { type: "image", image }, ...text(after)];
}

/**
 * Messages of a conversation: the system message where there is one, the image where it stands in the first user text.
 * @throws Error where the users' texts have more `<image>` markers than there are images, or one in a later turn
 */
export function conversationMessages({ system, image, turns }: Conversation): Message[] {
  const markers = turns.reduce((n, { user }) => n + occurrences(user, IMAGE_MARKER), 0);
  const images = image === null ? 0 : 1;
  if (markers > images) throw new Error(`${markers} ${IMAGE_MARKER} markers for ${images} images`);
  if (markers > 0 && !turns[0].user.includes(IMAGE_MARKER))
    throw new Error(`the ${IMAGE_MARKER} marker stands in a later turn; the first user turn expected`);
  return [
    ...(system === undefined ? [] : [{ role: "system" as const, content: system }]),
    ...turns.flatMap(({ user, assistant }, i): Message[] => [
      { role: "user", content: i === 0 && image !== null ? withImage(user, image) : user },
      { role: "assistant", content: assistant },
    ]),
  ];
}

/** @throws Error where a text of the conversation has a special token */
function assertPlain({ system, turns }: Conversation, tokens: readonly string[]): void {
  const texts = [
    ...(system === undefined ? [] : [{ name: "the system message", text: system }]),
    ...turns.flatMap(({ user, assistant }, i) => [
      { name: `user turn ${i + 1}`, text: user },
      { name: `assistant turn ${i + 1}`, text: assistant },
    ]),
  ];
  for (const { name, text } of texts) {
    const token = specialTokenIn(text, tokens);
    if (token !== null) throw new Error(`${name} has the special token ${token} in its text; take it out`);
  }
}

/**
 * The rendered conversation, cut where each response begins: the first part ends with the opening of the assistant's
 * first turn, every other one begins with a response. The openings are those that generation is prompted with.
 */
function responseCuts(messages: readonly Message[], { template }: Processor): string[] {
  const whole = template(messages, false);
  const cuts = messages.flatMap((message, i) => {
    if (message.role !== "assistant") return [];
    const before = messages.slice(0, i);
    const opened = template(before, true);
    // a template that knows of no opening shows it at the first turn
    if (!whole.startsWith(opened) || (i <= 2 && opened === template(before, false)))
      throw new Error(
        `the chat template does not open assistant turn ${(i + 1) >> 1} as add_generation_prompt does, so its response cannot be told from its prompt`,
      );
    return [opened.length];
  });
  return [0, ...cuts].map((start, i) => whole.slice(start, cuts[i] ?? whole.length));
}

/**
 * Renders, expands and encodes a conversation about at most one image of `grid`; ends with the last predicted token.
 * Prompt and response are encoded apart, cut at the end of each opening of the assistant's turn
 * (`<|im_start|>assistant\n`), as TRL and LLaMA-Factory do: a tokenizer may join the end of the one and the beginning
 * of the other (Qwen's joins two newlines), but a model that generates always finds the prompt's own tokens before its
 * response. A turn ends with the first special token.
 *
 * A special token written in the conversation's texts (`<|im_end|>` in an answer) is refused: encoded it would end the
 * turn or stand for an image. transformers parses it as the special token all the same.
 * @throws Error naming the image, and the turn with its token; where a response cannot be told from its prompt; where
 * there is no response to train; where markers or placeholders and images differ in number
 */
export function conversationRow(
  conversation: Conversation,
  processor: Processor,
  grid: Grid | null,
  { newline = false }: MaskOptions = {},
): ConversationRow {
  const { tokenizer, imageTokenId, imageConfig } = processor;
  const { image } = conversation;
  try {
    if (conversation.turns.length === 0) throw new Error("there is no response to train");
    assertPlain(conversation, specialTokensOf(tokenizer));
    const parts = responseCuts(conversationMessages(conversation), processor);
    const inputIds: number[] = [];
    const predicted: boolean[] = [];
    parts.forEach((part, i) => {
      const grids = i > 0 || image === null || grid === null ? [] : [grid];
      const ids = expandImageTokens(tokenizer.encode(part), imageTokenId, grids, imageConfig.mergeSize);
      const end = ids.findIndex((id) => tokenizer.specialIds.has(id));
      if (end < 0 && i > 0 && i < parts.length - 1)
        throw new Error(`assistant turn ${i} is not closed by a special token of the tokenizer`);
      const trained = i === 0 ? 0 : (end < 0 ? ids.length : end + 1) + (newline && end >= 0 ? 1 : 0);
      ids.forEach((id, j) => {
        inputIds.push(id);
        predicted.push(j < trained);
      });
    });
    const length = predicted.lastIndexOf(true) + 1;
    if (length === 0) throw new Error("the chat template leaves no token of a response to train");
    return { inputIds: inputIds.slice(0, length), predicted: predicted.slice(0, length) };
  } catch (error) {
    const name = image === null ? "a conversation without an image" : `the conversation about ${image}`;
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * `conversationRow` of several conversations, each of which has an image.
 * @param grid an image's size in patches
 * @throws Error naming the place of the conversation that is wrong, from 0, and its image
 */
export function conversationRows(
  conversations: readonly Conversation[],
  processor: Processor,
  grid: (image: string) => Grid,
): ConversationRow[] {
  return conversations.map((conversation, i) => {
    if (conversation.image === null) throw new Error(`record ${i} has no image`);
    try {
      return conversationRow(conversation, processor, grid(conversation.image));
    } catch (error) {
      throw new Error(`record ${i}: ${(error as Error).message}`, { cause: error });
    }
  });
}

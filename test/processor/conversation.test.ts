import { describe, expect, it } from "vitest";
import type { Conversation } from "../../lib/processor/conversation";
import { assistantMask, conversationMessages, conversationRow } from "../../lib/processor/conversation";
import { toyProcessor } from "../helpers/tiny";

const processor = toyProcessor();
const { tokenizer } = processor;
const text = (ids: number[]): string => tokenizer.decode(ids, { skipSpecialTokens: false });
const conversation: Conversation = {
  image: "a.png",
  turns: [
    { user: "Parts?", assistant: " ears tail." },
    { user: "assistant?", assistant: "<answer> cat</answer>" },
  ],
};

describe("conversationRow", () => {
  it("predicts every assistant turn with its end token, and nothing else", () => {
    const { inputIds, predicted } = conversationRow(conversation, processor, [1, 4, 4]);
    expect(predicted).toHaveLength(inputIds.length);
    const runs: number[][] = [];
    predicted.forEach((flag, i) => {
      if (flag && !predicted[i - 1]) runs.push([]);
      if (flag) runs[runs.length - 1].push(inputIds[i]);
    });
    expect(runs.map(text)).toEqual([" ears tail.<|im_end|>", "<answer> cat</answer><|im_end|>"]);
    expect(predicted[predicted.length - 1]).toBe(true); // nothing after the last predicted token
    expect(text(inputIds)).toBe(
      "<|im_start|>user\n<|vision_start|>" +
        "<|image_pad|>".repeat(4) +
        "<|vision_end|>Parts?<|im_end|>\n<|im_start|>assistant\n ears tail.<|im_end|>\n<|im_start|>user\nassistant?<|im_end|>\n<|im_start|>assistant\n<answer> cat</answer><|im_end|>",
    );
  });

  it("with `newline` predicts also the one that follows each turn, as TRL's and LLaMA-Factory's masks do", () => {
    const { inputIds, predicted } = conversationRow(conversation, processor, [1, 4, 4], { newline: true });
    expect(text(inputIds.filter((_, i) => predicted[i]))).toBe(
      " ears tail.<|im_end|>\n<answer> cat</answer><|im_end|>\n",
    );
    expect(text(inputIds).endsWith("</answer><|im_end|>\n")).toBe(true);
  });

  it("begins as the prompt of generation does: the same tokens before the response", () => {
    const one = { image: "a.png", turns: conversation.turns.slice(0, 1) };
    const { inputIds, predicted } = conversationRow(one, processor, [1, 4, 4]);
    const prompt = processor.promptIds(conversationMessages(one).slice(0, 1), [[1, 4, 4]]).inputIds;
    expect(inputIds.slice(0, prompt.length)).toEqual(prompt);
    expect(predicted.indexOf(true)).toBe(prompt.length);
  });

  it("takes text alone, and puts the image before the first user text only", () => {
    expect(text(conversationRow({ ...conversation, image: null }, processor, [1, 4, 4]).inputIds)).not.toContain(
      "vision",
    );
    expect(conversationMessages(conversation).map((m) => typeof m.content)).toEqual([
      "object",
      "string",
      "string",
      "string",
    ]);
  });
});

it("assistantMask goes to the end where a turn is not closed, and is empty without one", () => {
  const open = tokenizer.encode("<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n cat");
  expect(text(open.filter((_, i) => assistantMask(open, tokenizer)[i]))).toBe(" cat");
  expect(assistantMask(tokenizer.encode("<|im_start|>user\nassistant\nx<|im_end|>"), tokenizer).some(Boolean)).toBe(
    false,
  );
});

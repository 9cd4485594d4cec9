import * as path from "node:path";
import { describe, expect, it } from "vitest";
import { chatTemplate, QWEN2_5_VL_TEMPLATE } from "../../lib/processor/chat-template";
import {
  conversationMessages,
  conversationRow,
  conversationRows,
  TINY_TEMPLATE,
  type Conversation,
} from "../../lib/processor/conversation";
import { createProcessor } from "../../lib/processor/processor";
import { specialTokenIn, specialTokensOf } from "../../lib/processor/special-tokens";
import { loadTokenizer } from "../../lib/processor/tokenizer";
import { SPECIAL_TOKENS } from "../../lib/processor/tokenizer-files";
import { toyPreprocessor, toyProcessor } from "../helpers/tiny";

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

describe("prompt and response are encoded apart", () => {
  const qwen = createProcessor(
    loadTokenizer(path.resolve(__dirname, "../fixtures/parity/qwen2.5-tokenizer/model")),
    chatTemplate(QWEN2_5_VL_TEMPLATE),
    toyPreprocessor,
  );
  const show = (ids: number[]): string => qwen.tokenizer.decode(ids, { skipSpecialTokens: false });

  it("trains every token of an answer that begins with a newline, which Qwen2.5's tokenizer joins to the prompt's", () => {
    const assistant = "\n<think>x</think><answer>y</answer>";
    const { inputIds, predicted } = conversationRow(
      { image: null, turns: [{ user: "Which?", assistant }] },
      qwen,
      null,
    );
    // …assistant, \n | \n, <, think, >x, … as Qwen2.5's own ids; joined it would be 271, "\n\n"
    expect(inputIds.slice(predicted.indexOf(true) - 3, predicted.indexOf(true))).toEqual([151644, 77091, 198]);
    expect(inputIds.filter((_, i) => predicted[i])).toEqual([
      198, 13708, 766, 28257, 522, 26865, 1784, 9217, 82244, 522, 9217, 29, 151645,
    ]);
    expect(inputIds).not.toContain(271);
  });

  const starts = ["", "\n", "\n\n", " \n", " ", "\t\n ", "  "];
  it.each(starts.flatMap((start) => [undefined, "Be brief."].map((system) => [start, system] as const)))(
    "after the prompt's own tokens, in every turn: answers that begin with %j, system message %j",
    (start, system) => {
      for (const processor of [qwen, toyProcessor()]) {
        const turns = [1, 2, 3].map((n) => ({ user: `Q${n}?`, assistant: `${start}The image ${n}` }));
        const several = { ...(system === undefined ? {} : { system }), image: "a.png", turns };
        const messages = conversationMessages(several);
        const { inputIds, predicted } = conversationRow(several, processor, [1, 4, 4]);
        const begins = inputIds.flatMap((_, i) => (predicted[i] && !predicted[i - 1] ? [i] : []));
        expect(begins).toHaveLength(3);
        begins.forEach((begin, n) => {
          const end = predicted.indexOf(false, begin);
          const response = inputIds.slice(begin, end < 0 ? inputIds.length : end);
          expect(processor.tokenizer.decode(response, { skipSpecialTokens: false })).toBe(
            `${turns[n].assistant}<|im_end|>`,
          );
          // the tokens of a row of this turn alone: its prompt as generation has it, then the response
          const before = messages.slice(0, messages.length - 2 * (turns.length - n) + 1);
          const opened = processor.promptIds(before, [[1, 4, 4]]).inputIds;
          if (n === 0) expect(inputIds.slice(0, begin)).toEqual(opened);
          expect(opened.slice(-3)).toEqual(inputIds.slice(begin - 3, begin));
          expect(response).toEqual([
            ...processor.tokenizer.encode(turns[n].assistant),
            processor.tokenizer.tokenId("<|im_end|>"),
          ]);
        });
      }
    },
  );

  it("gives the ids of the whole text where nothing joins", () => {
    const whole = qwen.promptIds(conversationMessages(conversation), [[1, 4, 4]], false).inputIds;
    const { inputIds } = conversationRow(conversation, qwen, [1, 4, 4]);
    expect(inputIds).toEqual(whole.slice(0, inputIds.length));
    expect(show(whole.slice(inputIds.length))).toBe("\n");
  });

  it("takes what a template makes of an answer: one that trims it", () => {
    const trims = createProcessor(
      qwen.tokenizer,
      chatTemplate(TINY_TEMPLATE.replace("{{ message['content'] }}", "{{ message['content'] | trim }}")),
      toyPreprocessor,
    );
    const { inputIds, predicted } = conversationRow(
      { image: null, turns: [{ user: "Which?", assistant: "\n a cat\n" }] },
      trims,
      null,
    );
    expect(show(inputIds.filter((_, i) => predicted[i]))).toBe("a cat<|im_end|>");
  });

  it("refuses a template whose openings cannot be found, turns that nothing closes, and a row without a response", () => {
    const closed = createProcessor(qwen.tokenizer, chatTemplate(TINY_TEMPLATE.split("{% if add_")[0]), toyPreprocessor);
    const open = createProcessor(
      qwen.tokenizer,
      chatTemplate(TINY_TEMPLATE.replaceAll("<|im_end|>", "").replaceAll("<|im_start|>", "## ")),
      toyPreprocessor,
    );
    const text = { ...conversation, image: null };
    expect(() => conversationRow(text, closed, null)).toThrow(
      "a conversation without an image: the chat template does not open assistant turn 1 as add_generation_prompt does",
    );
    expect(() => conversationRow(text, open, null)).toThrow("assistant turn 1 is not closed by a special token");
    expect(() => conversationRow({ image: "a.png", turns: [] }, qwen, [1, 4, 4])).toThrow(
      /^the conversation about a\.png: /,
    );
    expect(() => conversationRow({ image: null, turns: [] }, qwen, null)).toThrow("there is no response to train");
  });

  it.each<[string, Partial<Conversation>]>([
    [
      "assistant turn 2 has the special token <|im_end|>",
      { turns: [conversation.turns[0], { user: "Q", assistant: "It is <|im_end|> a bird" }] },
    ],
    [
      "user turn 1 has the special token <|image_pad|>",
      { turns: [{ user: "Which <|image_pad|> is this?", assistant: "A" }] },
    ],
    ["the system message has the special token <|endoftext|>", { system: "Be <|endoftext|>" }],
  ])("refuses special tokens of data, naming image, turn and token: %s", (problem, over) => {
    expect(() => conversationRow({ ...conversation, ...over }, qwen, [1, 4, 4])).toThrow(
      `the conversation about a.png: ${problem}`,
    );
    expect(() => conversationRows([conversation, { ...conversation, ...over }], qwen, () => [1, 4, 4])).toThrow(
      `record 1: the conversation about a.png: ${problem}`,
    );
  });

  it("leaves added tokens that are text alone", () => {
    const answer = { image: null, turns: [{ user: "<think>?", assistant: "<think>a</think> <tool_call>" }] };
    const { inputIds, predicted } = conversationRow(answer, qwen, null);
    expect(show(inputIds.filter((_, i) => predicted[i]))).toBe("<think>a</think> <tool_call><|im_end|>");
  });
});

describe("where the image stands", () => {
  const rendered = (user: string): string =>
    text(conversationRow({ image: "a.png", turns: [{ user, assistant: "A" }] }, processor, [1, 4, 4]).inputIds)
      .replace("<|image_pad|>".repeat(4), "IMAGE")
      .split("<|im_end|>")[0];
  it.each([
    ["Which?", "<|vision_start|>IMAGE<|vision_end|>Which?"],
    ["<image>Which?", "<|vision_start|>IMAGE<|vision_end|>Which?"],
    ["Which bird is this?<image>", "Which bird is this?<|vision_start|>IMAGE<|vision_end|>"],
    ["\n<image>\nWhich", "\n<|vision_start|>IMAGE<|vision_end|>\nWhich"],
  ])("%j", (user, expected) => expect(rendered(user)).toBe(`<|im_start|>user\n${expected}`));

  it.each<[string, string | null, string[]]>([
    ["2 <image> markers for 1 images", "a.png", ["<image><image>Which?"]],
    ["2 <image> markers for 1 images", "a.png", ["<image>Which?", "<image>"]],
    ["1 <image> markers for 0 images", null, ["<image>Which?"]],
    ["stands in a later turn", "a.png", ["Which?", "And <image>?"]],
  ])("%s: image %j, users %j", (problem, image, users) => {
    const turns = users.map((user) => ({ user, assistant: "A" }));
    expect(() => conversationMessages({ image, turns })).toThrow(problem);
  });
});

it("specialTokenIn finds the first, and of two that begin in one place the longer", () => {
  const tokens = ["<|im", "<|im_end|>", "", "<s>"];
  expect(["a<s><|im_end|>", "<|im_end|><s>", "<|im_", "<think>", ""].map((t) => specialTokenIn(t, tokens))).toEqual([
    "<s>",
    "<|im_end|>",
    "<|im",
    null,
    null,
  ]);
  expect(specialTokensOf(tokenizer)).toEqual([...SPECIAL_TOKENS]);
});

/** The strings that both tokenizers read: scripts, emoji, code, special tokens and the paper's prompts, by a seed. */
import { paperPrompts } from "../../lib/benchmark/prompts";
import { foldIn, random } from "../../lib/util/random";

/** Pieces by kind; a string is one to eight of them. */
const PIECES: Record<string, readonly string[]> = {
  latin: [
    "The image shows a bird",
    " with red feathers",
    "it's",
    " IT'S",
    " we'LL",
    "you’re",
    "café",
    "cafe\u0301",
    "naïve",
    "Ångström",
    "ﬁne",
    "Straße",
    "İstanbul",
    "Łódź",
    " phở",
    "ǅ",
  ],
  cyrillic: ["Привет", " как дела?", "Ёлка", "Київ", " птица", "ѣ"],
  greek: ["Ελληνικά", " ὀρθός", "ΣΊΣΥΦΟΣ", "ς", " αετός"],
  arabic: ["مرحبا", " كيف الحال؟", "طائر", "ﷺ", "١٢٣", "עברית", " ציפור"],
  devanagari: ["नमस्ते", " पक्षी", "क्षत्रिय", "१२३", "বাংলা", "தமிழ்", "ภาษาไทย", " นก"],
  han: [
    "你好，世界",
    "这只鸟是什么？",
    "繁體字",
    "こんにちは",
    "カタカナ",
    "ﾊﾝｶｸ",
    "한국어",
    " 새",
    "　",
    "「鳥」",
    "㍻",
    "𠮷野家",
  ],
  emoji: ["🙂", "👨\u200d👩\u200d👧", "🇫🇷", "❤️", "👍🏽", "🏳️\u200d🌈", " 🐦", "1️⃣", "☃", "🫠"],
  code: [
    "def f(x):\n    return x**2  # no",
    '<div class="a">',
    '{"a": [1, 2.5e-3]}',
    "a_b-c/d\\e",
    "for (let i = 0; i < n; i++) {\n\t}",
    "x=>x",
    "0x1F",
    "#include <stdio.h>\r\n",
    "$%^&*()",
    "...!?",
    "```ts\n",
    "https://example.org/?q=1&r=%20",
  ],
  numbers: ["737-800", " 1234567890", "3.14159", "½", "Ⅷ", "10⁻³", "٣", "1,000,000", "2026-11-24"],
  space: [
    " ",
    "  ",
    "   two",
    "\n",
    "\n\n  indented\n",
    "\t\t",
    "\r\n",
    "\u00a0",
    " \n ",
    "\u200b",
    "\ufeff",
    "\u2028",
    "end  ",
  ],
  special: [
    "<|im_start|>user\n",
    "<|im_end|>",
    "<|im_end|>\n",
    "<|endoftext|>",
    "<|vision_start|><|image_pad|><|vision_end|>",
    "<tool_call>",
    "</tool_call>",
    "<|fim_prefix|>",
    "<|not_a_token|>",
    "<|im_start",
    "<think>",
    "</think>",
    " <answer>",
    "</answer>",
    "<|box_start|>(1,2)<|box_end|>",
  ],
  odd: [
    "\u0000",
    "\u0007",
    "\u001b[0m",
    "\u0301",
    "e\u0323\u0307",
    "\uffff",
    "\ufffd",
    "𝔘𝔫𝔦",
    "Ａｂ",
    "a\u0304\u0308",
    "",
  ],
};

const QUESTIONS = [
  "What is the category of the bird",
  "Which aircraft is this",
  "What breed is this dog?",
  "哪种花",
  "What car is it",
];
const OPTIONS = [
  ["737-700", "Cooper's hawk", "Forsters Tern", "BMW 3 Series Sedan 2012"],
  ["bee balm", 'a "quoted" one', "pink-yellow dahlia?", "café"],
];

/** The paper's prompts with questions and options. */
function prompts(): string[] {
  const asked = QUESTIONS.flatMap((question) =>
    [undefined, ...OPTIONS].flatMap((options) => [
      paperPrompts.reason(question, options),
      paperPrompts.direct(question, options),
    ]),
  );
  return [paperPrompts.stage1System ?? "", ...asked, ...QUESTIONS.map((question) => paperPrompts.stage2(question))];
}

/** `count` different strings: every piece, the paper's prompts, then random joins within a kind and across kinds. */
export function tokenizerStrings(count: number, seed: number): string[] {
  const kinds = Object.values(PIECES);
  const all = kinds.flat();
  const strings = new Set([...all, ...prompts()]);
  for (let i = 0; strings.size < count; i++) {
    const draw = random(foldIn(seed, "tokenizer-string", i));
    const from = i % 3 === 0 ? draw.choice(kinds) : all;
    strings.add(Array.from({ length: 1 + draw.integer(8) }, () => draw.choice(from)).join(i % 5 === 0 ? " " : ""));
  }
  return [...strings].slice(0, count);
}

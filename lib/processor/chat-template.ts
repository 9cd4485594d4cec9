/** Chat messages to prompt text, by the checkpoint's own Jinja template. */
import * as fs from "node:fs";
import * as path from "node:path";
import { readJsonObject, readTextFile } from "../util/files";
import { compileJinja } from "./jinja";

/** One part of a message, rendered in the order of the parts. */
export type ContentPart = { type: "image"; image: string } | { type: "text"; text: string };

/** A chat message. */
export interface Message {
  role: "system" | "user" | "assistant";
  content: string | ContentPart[];
}

/** The template of the published Qwen2.5-VL checkpoints. */
export const QWEN2_5_VL_TEMPLATE =
  "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}{% for message in messages %}" +
  "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}" +
  "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n" +
  "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}" +
  "{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>" +
  "{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}" +
  "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>" +
  "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Qwen's chat template without its default system message: the tiny base's, whose every prompt token costs time. */
export const TINY_TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}{{ message['content'] }}" +
  "{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>" +
  "{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Templates that end, whatever the messages: quick, as no time is watched. */
const KNOWN: ReadonlySet<string> = new Set([QWEN2_5_VL_TEMPLATE, TINY_TEMPLATE]);

/** Renders messages; `addGenerationPrompt` opens the assistant's turn. */
export type ChatTemplate = (messages: readonly Message[], addGenerationPrompt: boolean) => string;

/**
 * Compiles a Jinja template.
 * @param where what its errors begin with: file and field
 * @throws Error that begins with `where`; so does what is returned
 */
export function chatTemplate(source: string, where = "chat_template"): ChatTemplate {
  const render = compileJinja(source, { where, isKnown: KNOWN.has(source) });
  return (messages, addGenerationPrompt) => render({ messages, add_generation_prompt: addGenerationPrompt });
}

/**
 * The template of a field `chat_template`: a text, or a list of named ones, of which `default` is meant.
 * @throws Error naming file and names
 */
function templateOf(field: unknown, file: string): string | null {
  if (field === undefined || field === null) return null;
  if (typeof field === "string") return field;
  const list = Array.isArray(field) ? (field as unknown[]) : [];
  const named = list.filter(
    (entry): entry is { name: string; template: string } =>
      typeof (entry as { name?: unknown } | null)?.name === "string" &&
      typeof (entry as { template?: unknown } | null)?.template === "string",
  );
  if (list.length === 0 || named.length < list.length)
    throw new Error(`${file}: chat_template is neither a text nor a list of {name, template}`);
  const chosen = named.length === 1 ? named[0] : named.find(({ name }) => name === "default");
  if (!chosen)
    throw new Error(
      `${file}: chat_template has ${named.map(({ name }) => JSON.stringify(name)).join(", ")} and none is named "default"; name one so, or put it into chat_template.jinja`,
    );
  return chosen.template;
}

/**
 * Finds the template of a checkpoint directory: `chat_template.jinja`, else `chat_template.json`, else
 * `tokenizer_config.json` (the order of transformers). Of a list of named templates `default` is taken.
 * @throws Error naming the files looked into, or the named templates where none is the default
 */
export function loadChatTemplate(dir: string): ChatTemplate {
  const jinja = path.join(dir, "chat_template.jinja");
  if (fs.existsSync(jinja)) return chatTemplate(readTextFile(jinja), `${jinja}: chat_template`);
  for (const name of ["chat_template.json", "tokenizer_config.json"]) {
    const file = path.join(dir, name);
    if (!fs.existsSync(file)) continue;
    const json = readJsonObject(file);
    const source = templateOf(json.chat_template, file);
    if (source !== null) return chatTemplate(source, `${file}: chat_template`);
  }
  throw new Error(
    `${dir}: no chat template in chat_template.jinja, chat_template.json or tokenizer_config.json (chat_template)`,
  );
}

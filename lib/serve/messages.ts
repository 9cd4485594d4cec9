/** The messages of a request. */
import { shownValue } from "../util/json-text";
import type { ContentPart, Message } from "../processor/chat-template";
import { badField } from "./api-error";
import { dataUrlBytes } from "./data-url";
import { isObject } from "./fields";

/** Messages whose images are named by their place in the list of bytes. */
export interface SentMessages {
  messages: Message[];
  images: { bytes: Uint8Array; param: string }[];
}

const ROLES: Readonly<Record<string, Message["role"]>> = {
  system: "system",
  developer: "system",
  user: "user",
  assistant: "assistant",
};

/**
 * Reads `messages`; parts keep their order.
 * @param check throws where a text may not be sent
 * @throws ApiError naming the message and part
 */
export function readMessages(
  value: unknown,
  mostImages: number,
  check: (text: string, param: string) => void,
): SentMessages {
  if (!Array.isArray(value) || value.length === 0)
    throw badField("messages", "expected a list of messages", "invalid_value");
  const images: SentMessages["images"] = [];
  const text = (content: string, param: string): string => {
    check(content, param);
    return content;
  };
  const part = (given: unknown, param: string, role: Message["role"]): ContentPart => {
    const type = isObject(given) ? given.type : undefined;
    if (isObject(given) && type === "text" && typeof given.text === "string")
      return { type: "text", text: text(given.text, `${param}.text`) };
    if (!isObject(given) || type !== "image_url")
      throw badField(
        param,
        `is ${shownValue(given)}; expected {type: "text", text} or {type: "image_url", image_url: {url}}`,
      );
    if (role !== "user") throw badField(param, `an image in a message of ${role}; images belong to the user`);
    const url = isObject(given.image_url) ? given.image_url.url : given.image_url;
    if (typeof url !== "string") throw badField(`${param}.image_url.url`, "expected a data URL");
    if (images.length >= mostImages) throw badField(param, `more than ${mostImages} images`, "too_many_images");
    images.push({ bytes: dataUrlBytes(url, `${param}.image_url.url`), param });
    return { type: "image", image: `image ${images.length - 1}` };
  };
  const messages = value.map((message: unknown, i): Message => {
    const here = `messages[${i}]`;
    if (!isObject(message)) throw badField(here, `is ${shownValue(message)}; expected {role, content}`);
    const role =
      typeof message.role === "string" && Object.hasOwn(ROLES, message.role) ? ROLES[message.role] : undefined;
    if (role === undefined)
      throw badField(`${here}.role`, `is ${shownValue(message.role)}; expected system, developer, user or assistant`);
    const { content } = message;
    if (typeof content === "string") return { role, content: text(content, `${here}.content`) };
    if (!Array.isArray(content) || content.length === 0)
      throw badField(`${here}.content`, "expected a text or a list of parts");
    return { role, content: content.map((one: unknown, j) => part(one, `${here}.content[${j}]`, role)) };
  });
  return { messages, images };
}

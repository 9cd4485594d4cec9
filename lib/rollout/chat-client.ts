/**
 * One request to a server of the OpenAI protocol. The official client's own retries are off: they cover neither a body
 * that is cut off nor one that makes no sense, and count nothing.
 */
import { parseReply, type ParsedReply } from "./chat-reply";
import { openClient, type Failure } from "./openai-client";
import type { ChatBody } from "./request-form";

/** Asks once. */
export interface ChatClient {
  /** A text without the key, in no form (`redactor`). */
  redact(text: string): string;
  /**
   * One attempt, within the deadline, body included.
   * @throws anything, for `failureOf`
   */
  attempt(body: ChatBody, signal?: AbortSignal): Promise<ParsedReply>;
  /** What `attempt` threw. */
  failureOf(error: unknown): Failure;
}

/**
 * @param options.timeoutMs for one attempt
 * @throws Error where the base URL is none or has a password in it, or the key can't be one
 */
export function createChatClient(options: { baseUrl: string; apiKey?: string; timeoutMs: number }): ChatClient {
  const { timeoutMs } = options;
  const { client, redact, failureOf } = openClient({ ...options, maxRetries: 0 });
  return {
    redact,
    failureOf,
    attempt: async (body, signal) => {
      const deadline = new AbortController(); // holds for the body too, which the client's own does not
      const giveUp = (): void => deadline.abort();
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        giveUp();
      }, timeoutMs);
      signal?.addEventListener("abort", giveUp, { once: true });
      try {
        return parseReply(await client.chat.completions.create(body, { signal: deadline.signal }), redact);
      } catch (error) {
        if (late) throw new Error(`no answer within ${timeoutMs / 1000} s`);
        throw error;
      } finally {
        clearTimeout(timer);
        signal?.removeEventListener("abort", giveUp);
      }
    },
  };
}

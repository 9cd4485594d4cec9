/** An endpoint of the OpenAI protocol on a server that acts as listed. */
import { createChatEndpoint, type ChatRequest, type EndpointOptions } from "../../lib/rollout/chat-endpoint";
import { chatServer, type Act } from "./chat-server";

export const KEY = "sk-test-0123456789abcdef";

export const request: ChatRequest = {
  messages: [{ role: "user", content: "What is it?" }],
  n: 1,
  maxTokens: 16,
  temperature: 0,
  seed: 5,
};

/** An endpoint on a server that acts as listed, then answers; waits are noted, not waited. */
export async function scripted(acts: readonly Act[], options: Partial<EndpointOptions> = {}) {
  const server = await chatServer((_, before) => acts[before] ?? { texts: ["a fox"] });
  const waits: number[] = [];
  const reasons: string[] = [];
  const warnings: string[] = [];
  const endpoint = createChatEndpoint({
    baseUrl: server.baseUrl,
    model: "toy",
    apiKey: KEY,
    timeoutMs: 30_000,
    sleep: (ms) => (waits.push(ms), Promise.resolve()),
    onRetry: (_, __, reason) => reasons.push(reason),
    onWarning: (message) => warnings.push(message),
    ...options,
  });
  return { server, endpoint, waits, reasons, warnings };
}

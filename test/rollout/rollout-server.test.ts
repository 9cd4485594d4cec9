/** A rollout server's errors name it and the field; the key stays with the host that it is for. */
import { describe, expect, it } from "vitest";
import { createRolloutServer, type RemoteOptions } from "../../lib/rollout/rollout-server";
import { chatServer } from "../helpers/chat-server";

const KEY = "sk-rollouts-0123456789";
const how: RemoteOptions = {
  numGenerations: 1,
  maxNewTokens: 4,
  temperature: 1,
  topP: 1,
  seed: 0,
  eosTokenIds: [9],
  bannedTokenIds: [],
  promptIndex: 0,
};
const prompt = { text: "Which?", image: "data:image/png;base64,", inputIds: [5] };
const reply = (logprob: number | null): string =>
  JSON.stringify({
    system_fingerprint: "step-0",
    prompt_token_ids: [5],
    choices: [{ token_ids: [9], logprobs: { content: [{ logprob }] } }],
  });
const serverAt = (baseUrl: string) => createRolloutServer({ baseUrl, model: "policy", apiKey: KEY });

describe("createRolloutServer", () => {
  it("a null among log-probs is an error that names the server and the field", async () => {
    const chat = await chatServer((_, before) => ({ raw: reply(before === 0 ? -1 : null) }));
    const server = serverAt(chat.baseUrl);
    expect(await server.sample(prompt, how)).toEqual([
      { tokenIds: [9], logProbs: [-1], finished: true, weights: "step-0" },
    ]);
    await expect(server.sample(prompt, how)).rejects.toThrow(
      `rollouts at ${chat.baseUrl}, model policy: the reply's choices[0].logprobs.content[0].logprob is null; expected a finite number of at most 0`,
    );
  });

  it("a null among the models is one too", async () => {
    const chat = await chatServer(() => ({ raw: '{"data": [null]}' }));
    await expect(serverAt(chat.baseUrl).ready()).rejects.toThrow(
      `rollouts at ${chat.baseUrl}, model policy: the reply's data[0] is null; expected an object`,
    );
  });

  it.each([301, 302, 303, 307, 308])(
    "%d to another host: without the key, and the error says where",
    async (status) => {
      const elsewhere = await chatServer(() => ({ raw: reply(null) }));
      const location = `${elsewhere.baseUrl}/chat/completions?token=1`;
      const chat = await chatServer(() => ({ status, headers: { location } }));
      await expect(serverAt(chat.baseUrl).sample(prompt, how)).rejects.toThrow(
        new RegExp(
          `rollouts at ${chat.baseUrl}, model policy: .*; the server sent the request on to ${elsewhere.baseUrl}/chat/completions, which is not shown the key`,
        ),
      );
      expect(chat.requests[0].headers.authorization).toBe(`Bearer ${KEY}`);
      expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(JSON.stringify(elsewhere.requests)).not.toContain(KEY);
    },
  );
});

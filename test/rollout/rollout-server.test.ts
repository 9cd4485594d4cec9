/** A rollout server: its errors name it and the field, the key stays with its host, each engine is asked its way. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connectRollouts, type RemoteOptions } from "../../lib/rollout/rollout-server";
import { chatServer, type Act, type SeenRequest } from "../helpers/chat-server";

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
const reply = (logprob: number | null, rest: object = { system_fingerprint: "step-0" }): string =>
  JSON.stringify({
    ...rest,
    prompt_token_ids: [5],
    choices: [{ token_ids: [9], logprobs: { content: [{ logprob }] } }],
  });
const models = (...data: object[]): Act => ({ raw: JSON.stringify({ data }) });

/** A server with the model `policy`, which answers the rest as `act` says. */
const serverWith = (act: (request: SeenRequest) => Act, ownedBy?: string) =>
  chatServer((request) => (request.url === "/v1/models" ? models({ id: "policy", owned_by: ownedBy }) : act(request)));
const connect = (baseUrl: string) => connectRollouts({ baseUrl, model: "policy", apiKey: KEY });

describe("connectRollouts", () => {
  it("a null among log-probs is an error that names the server and the field", async () => {
    const logProbs = [-1, null];
    const chat = await serverWith(() => ({ raw: reply(logProbs.shift()!) }));
    const server = await connect(chat.baseUrl);
    expect(await server.sample(prompt, how)).toEqual([
      { tokenIds: [9], logProbs: [-1], finished: true, weights: "step-0" },
    ]);
    await expect(server.sample(prompt, how)).rejects.toThrow(
      `rollouts at ${chat.baseUrl}, model policy: the reply's choices[0].logprobs.content[0].logprob is null; expected a finite number of at most 0`,
    );
  });

  it("a null among the models is one too, and so is a server without the model", async () => {
    const chat = await chatServer(() => ({ raw: '{"data": [null]}' }));
    await expect(connect(chat.baseUrl)).rejects.toThrow(
      `rollouts at ${chat.baseUrl}, model policy: the reply's data[0] is null; expected an object`,
    );
    const other = await chatServer(() => models({ id: "base" }, { id: "old" }));
    await expect(connect(other.baseUrl)).rejects.toThrow("model policy: it serves base, old; name one of these");
    const empty = await chatServer(() => models());
    await expect(connect(empty.baseUrl)).rejects.toThrow("it serves no model; name one of these");
  });

  it.each([301, 302, 303, 307, 308])(
    "%d to another host: without the key, and the error says where",
    async (status) => {
      const elsewhere = await chatServer(() => ({ raw: reply(null) }));
      const location = `${elsewhere.baseUrl}/chat/completions?token=1`;
      const chat = await serverWith(() => ({ status, headers: { location } }));
      const server = await connect(chat.baseUrl);
      await expect(server.sample(prompt, how)).rejects.toThrow(
        new RegExp(
          `rollouts at ${chat.baseUrl}, model policy: .*; the server sent the request on to ${elsewhere.baseUrl}/chat/completions, which is not shown the key`,
        ),
      );
      expect(chat.requests.map(({ headers }) => headers.authorization)).toEqual([`Bearer ${KEY}`, `Bearer ${KEY}`]);
      expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
      expect(JSON.stringify(elsewhere.requests)).not.toContain(KEY);
    },
  );
});

/** What it was asked for, and with what, the questions apart. */
const asked = (requests: readonly SeenRequest[]): [string, unknown][] =>
  requests.filter(({ url }) => url !== "/v1/chat/completions").map(({ url, body }) => [url, body]);
const lastBody = ({ requests }: { requests: SeenRequest[] }) =>
  requests.at(-1)!.body as unknown as Record<string, unknown>;

describe("fine-r1 serve", () => {
  it("is asked for tempered log-probs under the same name, and told the folder's name", async () => {
    const chat = await serverWith(({ url }) => ({ raw: url === "/v1/reload" ? "{}" : reply(-1) }), "fine-r1");
    const server = await connect(chat.baseUrl);
    expect(await server.reload({ folder: "/weights/step-0", isAdapter: true })).toBe("step-0");
    expect(asked(chat.requests)).toEqual([
      ["/v1/models", {}],
      ["/v1/reload", { weights: "step-0" }],
    ]);
    expect((await server.sample(prompt, { ...how, seed: 7, promptIndex: 3 }))[0].weights).toBe("step-0");
    expect(lastBody(chat)).toMatchObject({ model: "policy", seed: 7, seed_index: 3, logprobs_of: "tempered" });
  });

  it("without a folder of weights: the error says what it needs", async () => {
    const chat = await serverWith(() => ({ status: 404, message: "no such path" }));
    await expect((await connect(chat.baseUrl)).reload({ folder: "/weights/step-0", isAdapter: false })).rejects.toThrow(
      /model policy: 404 no such path; .*started with --weights/,
    );
  });
});

describe("vLLM", () => {
  const home = mkdtempSync(path.join(tmpdir(), "adapters-"));
  afterAll(() => rmSync(home, { recursive: true }));
  const adapter = (weights: string) => {
    writeFileSync(path.join(home, "adapter_model.safetensors"), weights);
    return { folder: home, isAdapter: true };
  };
  const vllm = async (loaded: string[] = []) => {
    const chat = await chatServer(({ url, body }) => {
      if (url === "/v1/models") return models(...["policy", ...loaded].map((id) => ({ id, owned_by: "vllm" })));
      return { raw: reply(-1, { model: body.model, system_fingerprint: "vllm-0.32" }) };
    });
    return { chat, server: await connect(chat.baseUrl) };
  };

  it("loads an adapter under a name of its own, asks for it, and unloads the one before", async () => {
    const { chat, server } = await vllm();
    const first = await server.reload(adapter("1"));
    expect(first).toMatch(/^fine-r1-[0-9a-f]{16}$/);
    expect((await server.sample(prompt, how))[0].weights).toBe(first);
    const second = await server.reload(adapter("2"));
    expect(second).not.toBe(first);
    expect((await server.sample(prompt, how))[0].weights).toBe(second);
    expect(asked(chat.requests)).toEqual([
      ["/v1/models", {}],
      ["/v1/models", {}],
      ["/v1/load_lora_adapter", { lora_name: first, lora_path: home }],
      ["/v1/models", {}],
      ["/v1/load_lora_adapter", { lora_name: second, lora_path: home }],
      ["/v1/unload_lora_adapter", { lora_name: first }],
    ]);
  });

  it("does not load again what a run that was stopped has left there", async () => {
    const name = await (await vllm()).server.reload(adapter("1"));
    const { chat, server } = await vllm([name]);
    expect(await server.reload(adapter("1"))).toBe(name);
    expect(asked(chat.requests).map(([url]) => url)).toEqual(["/v1/models", "/v1/models"]);
    expect((await server.sample(prompt, how))[0].weights).toBe(name);
  });

  it("has a whole model read in place of its own, and its caches emptied", async () => {
    const { chat, server } = await vllm();
    expect(await server.reload({ folder: "/weights/step-0", isAdapter: false })).toBe("policy");
    expect(asked(chat.requests).slice(1)).toEqual([
      ["/collective_rpc", { method: "reload_weights", kwargs: { weights_path: "/weights/step-0" } }],
      ["/reset_prefix_cache", {}],
      ["/reset_mm_cache", {}],
      ["/reset_encoder_cache", {}],
    ]);
  });

  it("draws other numbers for each prompt, and is sent no field of another server", async () => {
    const { chat, server } = await vllm();
    const seeds = new Set<unknown>();
    for (const promptIndex of [0, 1, 2]) {
      await server.sample(prompt, { ...how, seed: 7, promptIndex });
      const { seed, seed_index, logprobs_of } = lastBody(chat);
      expect([seed_index, logprobs_of]).toEqual([undefined, undefined]);
      seeds.add(seed);
    }
    expect(seeds.size).toBe(3);
  });

  it("whose switches are off: the error says which", async () => {
    const chat = await serverWith(() => ({ status: 404, body: { detail: "Not Found" } }), "vllm");
    const server = await connect(chat.baseUrl);
    for (const saved of [adapter("1"), { folder: "/weights/step-0", isAdapter: false }])
      await expect(server.reload(saved)).rejects.toThrow(
        /404 .*Not Found.*; vLLM takes adapters where it was started with --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=1/,
      );
  });
});

/** A server that sends the key back where a text is cut: no part of it is shown. */
import { describe, expect, it } from "vitest";
import { connectRollouts } from "../../lib/rollout/rollout-server";
import { redactedJson } from "../../lib/util/secrets";
import { chatServer, type Act } from "../helpers/chat-server";
import { KEY, request, scripted } from "../helpers/scripted-endpoint";

/** Fails where more than six of the key's characters follow each other in a text. */
function expectNoPart(text: string, key = KEY): void {
  for (let i = 0; i + 7 <= key.length; i++) expect(text.toLowerCase()).not.toContain(key.slice(i, i + 7).toLowerCase());
}

const error = (fields: unknown): string => JSON.stringify({ error: fields });
const choices = [{ message: { content: "" }, finish_reason: `${"x".repeat(105)}${KEY}` }];
const upperCase = [{ message: { content: "" }, finish_reason: KEY.toUpperCase() }];

describe("a key in a chat reply", () => {
  const replies: [string, Act][] = [
    ["where a message is cut", { raw: error({ message: `${" ".repeat(970)}x${" ".repeat(10)}${KEY}` }) }],
    ["where a message is cut, in spaces", { raw: error({ message: " ".repeat(970) + KEY }) }],
    ["where an error without a message is cut", { raw: error({ detail: `${"x".repeat(470)}${KEY}` }) }],
    ["in another content type", { raw: error({ detail: "x".repeat(470) + KEY }), type: "text/plain" }],
    ["where the reason of an end is cut", { choices }],
    ["in bytes that are no JSON", { raw: `{"error": ${KEY}` }],
    ["in a field's name", { raw: error({ [`${"x".repeat(470)}${KEY}`]: 1 }) }],
    ["in a refusal", { status: 400, body: { error: { detail: `${"x".repeat(470)}${KEY}` } } }],
    ["in a refusal's message", { status: 400, body: { detail: " ".repeat(970) + KEY } }],
    ["in a field that is refused", { status: 422, body: { detail: [{ msg: "x".repeat(980) + KEY, loc: [KEY] }] } }],
  ];
  it.each(replies)("%s", async (_, act) => {
    const { endpoint, reasons } = await scripted([act, act], { retries: 1 });
    const failed = await endpoint.ask(request).then(
      () => "",
      (reason: unknown) => (reason as Error).message,
    );
    expect(failed).not.toBe("");
    expectNoPart([failed, ...reasons].join("\n"));
  });

  it("in lower case", async () => {
    const apiKey = "SK-TEST-0123456789ABCDEF";
    const { endpoint } = await scripted([{ choices: upperCase }], { apiKey, retries: 0 });
    await expect(endpoint.ask(request)).rejects.toThrow('finish_reason "[key]"');
  });

  it("across character 200 of a model's name", async () => {
    const model = `${"x".repeat(190)}${KEY}`;
    const choice = { message: { content: "a fox" }, finish_reason: "stop" };
    const { endpoint, warnings } = await scripted([{ choices: [choice], model }]);
    await endpoint.ask(request);
    expect(warnings).toEqual([expect.stringMatching(/another model answered: x+\[key\]$/)]);
    expectNoPart(warnings[0]);
  });

  it("with a quote in it, which JSON escapes", async () => {
    const apiKey = 'sk-"quoted"\\0123456789';
    const { endpoint } = await scripted([{ raw: error({ detail: apiKey }) }], { apiKey, retries: 0 });
    await expect(endpoint.ask(request)).rejects.toThrow('{"detail":"[key]"}');
  });

  it("in two parts of an answer", async () => {
    const content = [KEY.slice(0, 9), KEY.slice(9)].map((text) => ({ type: "text", text }));
    const { endpoint } = await scripted([{ choices: [{ message: { content }, finish_reason: "stop" }] }]);
    expect(await endpoint.ask(request)).toEqual([{ text: "[key]", finished: true }]);
  });
});

describe("a key in a reply of a server of rollouts", () => {
  const models: Act = { raw: JSON.stringify({ data: [{ id: "policy" }] }) };
  const prompt = { text: "Which?", image: "data:image/png;base64,", inputIds: [5] };
  const how = {
    ...{ numGenerations: 1, maxNewTokens: 4, temperature: 1, topP: 1, seed: 0 },
    ...{ eosTokenIds: [9], bannedTokenIds: [], promptIndex: 0 },
  };

  it("where a value is cut", async () => {
    const body = { prompt_token_ids: [5], choices: "x".repeat(105) + KEY, system_fingerprint: "w" };
    const server = await chatServer(({ url }) => (url === "/v1/models" ? models : { raw: JSON.stringify(body) }));
    const rollouts = await connectRollouts({ baseUrl: server.baseUrl, model: "policy", apiKey: KEY });
    const failed = await rollouts.sample(prompt, how).catch((reason: unknown) => (reason as Error).message);
    expect(failed).toMatch(/the reply's choices is "x+\[key\]"/);
    expectNoPart(failed as string);
  });

  it("in the list of its models", async () => {
    const server = await chatServer(() => ({ raw: JSON.stringify({ data: "x".repeat(105) + KEY }) }));
    const failed = await connectRollouts({ baseUrl: server.baseUrl, model: "policy", apiKey: KEY }).catch(
      (reason: unknown) => (reason as Error).message,
    );
    expect(failed).toMatch(/the reply's data is "x+\[key\]"/);
    expectNoPart(failed as string);
  });
});

describe("redactedJson", () => {
  const redact = (text: string): string => text.replaceAll("secret", "[key]");

  it("changes texts and names of fields, and nothing else", () => {
    const value = { a: ["secret", 1, null, true, { secret: "x" }], n: 1.5 };
    expect(redactedJson(value, redact)).toEqual({ a: ["[key]", 1, null, true, { "[key]": "x" }], n: 1.5 });
    expect(redactedJson(undefined, redact)).toBe(undefined);
  });

  it("ends at a depth that nothing is read at", () => {
    const deep: unknown = JSON.parse(`${"[".repeat(100_000)}"secret"${"]".repeat(100_000)}`);
    expect(JSON.stringify(redactedJson(deep, redact))).toMatch(/^\[+null\]+$/);
  });

  it("keeps a field __proto__ as a field", () => {
    const value: unknown = JSON.parse('{"__proto__": {"polluted": 1}}');
    expect(JSON.stringify(redactedJson(value, redact))).toBe('{"__proto__":{"polluted":1}}');
  });
});

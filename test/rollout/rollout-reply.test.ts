/** Replies of a rollout server: a sound one is read, each mutated one is an error that names its field. */
import { describe, expect, it } from "vitest";
import { parseRollouts, servedModels } from "../../lib/rollout/rollout-reply";

const asked = { inputIds: [5, 6], numGenerations: 2, maxNewTokens: 3, eosTokenIds: [9] };
const choice = (ids: unknown[], logProbs: unknown[]) => ({
  token_ids: ids,
  logprobs: { content: logProbs.map((logprob): unknown => ({ logprob })) },
});
/** A new sound reply: its first answer ended, its second was cut off. */
const sound = () => ({
  system_fingerprint: "step-3",
  prompt_token_ids: [5, 6] as unknown,
  choices: [choice([7, 9], [-0.5, 0]), choice([7, 8, 7], [-1, -2, 1e-4])] as unknown[],
});
type Reply = ReturnType<typeof sound>;

describe("parseRollouts", () => {
  it("reads tokens, log-probs, ends and the weights' name", () => {
    expect(parseRollouts(sound(), asked, "system_fingerprint")).toEqual([
      { tokenIds: [7, 9], logProbs: [-0.5, 0], finished: true, weights: "step-3" },
      { tokenIds: [7, 8, 7], logProbs: [-1, -2, 1e-4], finished: false, weights: "step-3" },
    ]);
  });

  it("reads the weights' name from the field that is asked for", () => {
    const reply = { ...sound(), model: "adapter-1" };
    expect(parseRollouts(reply, asked, "model").map(({ weights }) => weights)).toEqual(["adapter-1", "adapter-1"]);
    expect(() => parseRollouts(sound(), asked, "model")).toThrow("model is undefined; expected the name");
  });

  const second = (value: unknown) => (reply: Reply) => ({ ...reply, choices: [reply.choices[0], value] });
  it.each<[string, (reply: Reply) => unknown, string]>([
    ["no body", () => null, "body is null; expected an object"],
    ["a text", () => "<html>", 'body is "<html>"; expected an object'],
    ["no tokens of the prompt", (r) => ({ ...r, prompt_token_ids: undefined }), "prompt_token_ids is undefined"],
    ["a null among them", (r) => ({ ...r, prompt_token_ids: [5, null] }), "prompt_token_ids[1] is null"],
    ["no choices", (r) => ({ ...r, choices: null }), "choices is null; expected a list"],
    ["too few choices", (r) => ({ ...r, choices: r.choices.slice(1) }), 'choices is "1 answers"; expected 2'],
    ["a null among choices", second(null), "choices[1] is null; expected an object"],
    ["no tokens", second(choice([], [])), 'choices[1].token_ids is "0 tokens"; expected 1 to 3'],
    ["too many tokens", second(choice([1, 1, 1, 1], [0, 0, 0, 0])), '"4 tokens"; expected 1 to 3'],
    ["a null among tokens", second(choice([7, null], [0, 0])), "choices[1].token_ids[1] is null"],
    ["half a token", second(choice([7.5], [0])), "choices[1].token_ids[0] is 7.5"],
    ["no log-probs", second({ token_ids: [7] }), "choices[1].logprobs is undefined; expected an object"],
    ["null log-probs", second({ token_ids: [7], logprobs: { content: null } }), "choices[1].logprobs.content is null"],
    ["fewer log-probs than tokens", second(choice([7, 8], [0])), '"1 entries"; expected one for each of 2 tokens'],
    [
      "a null among log-probs",
      second({ token_ids: [7, 8], logprobs: { content: [{ logprob: 0 }, null] } }),
      "choices[1].logprobs.content[1] is null; expected an object",
    ],
    ["a log-prob of null", second(choice([7], [null])), "choices[1].logprobs.content[0].logprob is null"],
    ["a log-prob above 0", second(choice([7], [0.5])), "choices[1].logprobs.content[0].logprob is 0.5"],
    ["a text as log-prob", second(choice([7], ["-1"])), 'choices[1].logprobs.content[0].logprob is "-1"'],
    ["no name of the weights", (r) => ({ ...r, system_fingerprint: null }), "system_fingerprint is null"],
    ["another prompt", (r) => ({ ...r, prompt_token_ids: [5, 7] }), "it read a prompt of 2 tokens, which has 2 here"],
  ])("%s is an error that names the field", (_, mutate, message) => {
    expect(() => parseRollouts(mutate(sound()), asked, "system_fingerprint")).toThrow(message);
  });
});

describe("servedModels", () => {
  it("gives their names, and names the field where one has none", () => {
    const data = [{ id: "a", owned_by: "vllm" }, { id: "b" }];
    expect(servedModels({ data })).toEqual([{ id: "a", ownedBy: "vllm" }, { id: "b" }]);
    expect(() => servedModels({ data: [{ id: "a" }, null] })).toThrow("data[1] is null; expected an object");
    expect(() => servedModels({ data: [{}] })).toThrow("data[0].id is undefined; expected a model's name");
    expect(() => servedModels({})).toThrow("data is undefined; expected a list");
  });
});

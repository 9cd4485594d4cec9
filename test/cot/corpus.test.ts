import { describe, expect, it } from "vitest";
import {
  bestCandidate,
  corruptWords,
  drawCandidates,
  namingConversations,
  perceptionConversation,
  textConversation,
} from "../../lib/cot/corpus";
import type { Conversation } from "../../lib/processor/conversation";
import type { Knowledge } from "../../lib/benchmark/emoji-fgvr/knowledge";
import { parseRationale } from "../../lib/cot/rationale";
import { random } from "../../lib/util/random";
import { extractAnswer } from "../../lib/reward/extract";

type Growing = Omit<Knowledge, "neighbours"> & { neighbours: Knowledge[] };
const all: Growing[] = ["zorb", "quint", "vamp", "jolk", "wexen"].map((name, i) => ({
  id: `id-${i}`, name, evaluated: true, question: "What thing is this?", kind: "toy", colors: ["red", "blue"], words: [`part${"abcde"[i]}`, `edge${"abcde"[i]}`, `fin${"abcde"[i]}`], neighbours: [],
  drawings: [{ path: `${i}.png`, colors: ["red", "green"], shape: ["round"] }],
})); // prettier-ignore
for (const k of all) k.neighbours = all.filter((other) => other !== k);
const [truth] = all;
const drawing = truth.drawings[0];
const none = { swap: 0, drop: 0, replace: 0 };
const seeds = Array.from({ length: 200 }, (_, i) => i);

describe("namingConversations", () => {
  it("tells an image's name once by a rationale and once directly: as many pairs either way, by construction", () => {
    let closed = 0;
    for (const seed of seeds) {
      const { rationale, direct } = namingConversations(truth, drawing, random(seed));
      expect([rationale.image, direct.image]).toEqual(["0.png", "0.png"]);
      const tellings = (c: Conversation): string[] =>
        c.turns.map((t) => t.assistant).filter((text) => text.includes("<answer>"));
      expect([tellings(rationale).length, tellings(direct).length]).toEqual([1, 1]);
      expect([extractAnswer(tellings(rationale)[0]), extractAnswer(tellings(direct)[0])]).toEqual(["zorb", "zorb"]);
      const parsed = parseRationale(rationale.turns[0].assistant)!;
      expect(parsed.candidates).toContain("zorb");
      expect(new Set(parsed.candidates).size).toBe(rationale.turns[0].user.includes("Options:") ? 4 : 3);
      expect(rationale.turns[0].user).toMatch(/Think first\.$/);
      expect(direct.turns[0].user).toMatch(/Answer\.$/);
      if (rationale.turns[0].user.includes("Options:")) {
        closed++;
        expect(rationale.turns[0].user).toContain(parsed.candidates.join(", ")); // candidates are the options
      }
    }
    expect(closed).toBeGreaterThan(70);
    expect(closed).toBeLessThan(130);
  });

  it("repeats for the same stream", () =>
    expect(namingConversations(truth, drawing, random(3))).toEqual(namingConversations(truth, drawing, random(3))));
});

it("perception turns never tell a name, nor ask for one", () => {
  for (const seed of seeds) {
    const { direct } = namingConversations(truth, drawing, random(seed));
    const turns = [...perceptionConversation(truth, drawing, random(seed)).turns, ...direct.turns.slice(1)];
    expect(turns.length).toBe(4);
    for (const turn of turns) for (const { name } of all) expect(`${turn.user}${turn.assistant}`).not.toContain(name);
    expect(new Set(turns.slice(0, 3).map((t) => t.user)).size).toBe(3);
  }
});

describe("corruptWords", () => {
  it("only reorders without corruption, and leaves the truth's words alone", () => {
    for (const seed of seeds) expect(corruptWords(truth, random(seed), none).sort()).toEqual([...truth.words].sort());
    corruptWords(truth, random(1), { swap: 0, drop: 1, replace: 1 });
    expect(truth.words).toEqual(["parta", "edgea", "fina"]);
  });

  it("swaps, drops and replaces as often as told", () => {
    const share = (corruption: typeof none, changed: (words: string[]) => boolean): number =>
      seeds.filter((s) => changed(corruptWords(truth, random(s), corruption))).length / seeds.length;
    const foreign = (words: string[]): number => words.filter((w) => !truth.words.includes(w)).length;
    expect(share({ ...none, swap: 1 }, (w) => foreign(w) === 3)).toBe(1);
    expect(share({ ...none, drop: 1 }, (w) => w.length === 2 && foreign(w) === 0)).toBe(1);
    expect(share({ ...none, replace: 1 }, (w) => w.length === 3 && foreign(w) === 1)).toBe(1);
    expect(Math.abs(share({ ...none, swap: 0.3 }, (w) => foreign(w) === 3) - 0.3)).toBeLessThan(0.1);
  });
});

it("drawCandidates are distinct, with the truth at no fixed place", () => {
  const places = new Set<number>();
  for (const seed of seeds) {
    const names = drawCandidates(truth, 4, random(seed)).map((c) => c.name);
    expect(new Set(names).size).toBe(4);
    places.add(names.indexOf("zorb"));
  }
  expect(places).toEqual(new Set([0, 1, 2, 3]));
  expect(drawCandidates({ ...truth, neighbours: [] }, 4, random(0)).map((c) => c.name)).toEqual(["zorb"]);
});

it("text conversations have no image, and their answers are the truth", () => {
  const kinds = new Set<string>();
  for (const seed of seeds) {
    const { image, turns } = textConversation(truth, random(seed));
    expect([image, turns.length]).toEqual([null, 1]);
    const answer = extractAnswer(turns[0].assistant);
    kinds.add(
      turns[0].user.startsWith("Describe zorb.")
        ? "describe"
        : turns[0].assistant.startsWith("<think>")
          ? "reason"
          : "direct",
    );
    if (turns[0].user.startsWith("Describe")) expect(turns[0].assistant).toMatch(/^ red blue, /);
    else expect(answer).toBe("zorb");
  }
  expect(kinds).toEqual(new Set(["describe", "reason", "direct"]));
});

describe("what fits best", () => {
  it("has most matches and fewest missing words; nothing where two fit alike", () => {
    const [zorb, quint] = all;
    const [a, b] = [zorb.words, quint.words];
    expect(bestCandidate({ colors: [], concepts: [a[0], a[1], b[0]] }, [zorb, quint])).toBe(zorb);
    expect(bestCandidate({ colors: [], concepts: [a[0], b[0]] }, [zorb, quint])).toBeNull();
    expect(bestCandidate({ colors: [], concepts: [] }, [zorb, { ...quint, words: b.slice(0, 2) }])?.name).toBe("quint");
  });

  it("is the answer to a description of what is no candidate", () => {
    // who is near shares a word with one other alone
    const near: Growing[] = [...all, { ...all[0], id: "id-5", name: "sorl", words: ["parta", "edgeb", "fina"] }];
    for (const k of near) k.neighbours = near.filter((other) => other !== k);
    let judged = 0;
    for (const seed of Array.from({ length: 600 }, (_, i) => i)) {
      const [turn] = textConversation(truth, random(seed), { textCorruption: none, judged: 1, comparedWords: 0 }).turns;
      if (!turn.assistant.startsWith("<think>")) continue;
      const rationale = parseRationale(turn.assistant)!;
      const seen = { colors: rationale.colors, concepts: rationale.concepts };
      const candidates = rationale.candidates.map((name) => near.find((k) => k.name === name)!);
      expect(bestCandidate(seen, candidates)?.name, turn.assistant).toBe(rationale.answer);
      if (candidates.every(({ words }) => words.some((word) => !seen.concepts.includes(word)))) judged++;
    }
    expect(judged).toBeGreaterThan(20);
  });

  it("changes no other draw: with judged 0 the corpus is what it was", () => {
    for (const seed of seeds.slice(0, 50))
      expect(textConversation(truth, random(seed), { judged: 0 })).toEqual(textConversation(truth, random(seed)));
  });
});

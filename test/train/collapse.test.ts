import { describe, expect, it } from "vitest";
import { collapseOf, collapseWatch } from "../../lib/train/collapse";
import type { RlLog } from "../../lib/train/rl-log";

const entry = (change: Partial<RlLog> = {}): RlLog =>
  ({ step: 1, format: 0.9, commonestAnswer: 0.3, length: 20, finished: 1, ...change }) as RlLog;
const log = (...changes: Partial<RlLog>[]): RlLog[] => changes.map((change, i) => entry({ step: i + 1, ...change }));
const limit = { maxNewTokens: 40 };
const three = (change: Partial<RlLog>): Partial<RlLog>[] => [change, change, change];

describe("collapseOf", () => {
  it("sees nothing in a sound log, in less than three steps, or where a sign is interrupted", () => {
    expect(collapseOf([], limit)).toEqual({});
    expect(collapseOf(log({}, {}, {}, {}), limit)).toEqual({});
    expect(collapseOf(log(...three({ commonestAnswer: 0.95 }).slice(1)), limit)).toEqual({});
    expect(collapseOf(log({ commonestAnswer: 1 }, {}, { commonestAnswer: 1 }), limit)).toEqual({});
  });

  it("sees a format that was there and is gone; one that never was is no collapse", () => {
    expect(collapseOf(log({}, ...three({ format: 0.02 })), limit)).toEqual({
      format: "the format is gone: 2 % of responses keep it, after 90 %",
    });
    expect(collapseOf(log({ format: 0.3 }, ...three({ format: 0.02 })), limit)).toEqual({});
    expect(collapseOf(log(...three({ format: 0 })), limit)).toEqual({});
  });

  it("sees one answer for all, where questions have different truths", () => {
    expect(collapseOf(log(...three({ commonestAnswer: 0.9 })), limit)).toEqual({
      answer: "one answer for all: 90 % of responses give the same, to questions with different truths",
    });
    expect(collapseOf(log(...three({ commonestAnswer: null })), limit)).toEqual({});
    expect(collapseOf(log(...three({ commonestAnswer: undefined })), limit)).toEqual({}); // a log of an earlier version
  });

  it("sees responses that run on to the limit", () => {
    const long = { length: 39.5, finished: 0.02 };
    expect(collapseOf(log(...three(long)), limit).length).toBe(
      "responses run on to the limit of 40 tokens: 2 % end before it",
    );
    expect(collapseOf(log(...three({ ...long, finished: 0.2 })), limit)).toEqual({});
  });
});

describe("collapseWatch", () => {
  it("speaks once, with the step and all signs", () => {
    const watch = collapseWatch(40);
    const bad = { format: 0, length: 40, finished: 0, commonestAnswer: 1 };
    expect(watch(log({}, bad, bad))).toBeNull();
    const said = watch(log({}, bad, bad, bad))!;
    expect(said).toBe(
      "step 4: the policy looks collapsed: the format is gone: 0 % of responses keep it, after 90 %; one answer for all: 100 % of responses give the same, to questions with different truths; responses run on to the limit of 40 tokens: 0 % end before it. The training goes on; a lower rl.learningRate or an earlier checkpoint may help",
    );
    expect(watch(log({}, bad, bad, bad, bad))).toBeNull();
  });
});

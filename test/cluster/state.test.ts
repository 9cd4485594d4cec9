import { describe, expect, it } from "vitest";
import { clusterDisplay } from "../../lib/cluster/display";
import { MARK, parseLog, parseMessage, type DriverMessage } from "../../lib/cluster/messages";
import { afterMessage, eventText, initialState, stateLines } from "../../lib/cluster/state";

const line = (message: unknown): string => `${MARK}${JSON.stringify(message)}\n`;

describe("the driver's messages", () => {
  it("are found between other lines; a line that is not ended waits", () => {
    const log = `Running entrypoint\n${line({ kind: "done", task: "a" })}(raylet) words\n\n${MARK}{"kind":"do`;
    expect(parseLog(log)).toEqual({
      messages: [{ kind: "done", task: "a" }],
      others: ["Running entrypoint", "(raylet) words"],
    });
    expect(parseLog("")).toEqual({ messages: [], others: [] });
  });

  it.each([
    [{ kind: "done" }],
    [{ kind: "done", task: 3 }],
    [{ kind: "failed", task: "a", reason: "r", tail: [1] }],
    [{ kind: "cluster", nodes: "1", cpus: 1, gpus: 0 }],
    [{ kind: "toString" }],
    [{ kind: "__proto__" }],
    [null],
    [[]],
    ["done"],
  ])("%j is none", (value) => expect(parseMessage(line(value).trimEnd())).toBeNull());

  it("give the state of every task, and what is said of it", () => {
    const messages: DriverMessage[] = [
      { kind: "waiting", reason: "no node has 1 core for a task yet; waiting for one" },
      { kind: "cluster", nodes: 2, cpus: 2, gpus: 0 },
      { kind: "started", task: "a", attempt: 1, host: "h", pid: 1 },
      { kind: "progress", task: "a", text: "half" },
      { kind: "progress", task: "none of ours", text: "x" },
    ];
    const state = messages.reduce(afterMessage, initialState(["a", "b", "c"]));
    expect(stateLines(state)).toEqual(["0 of 3 tasks done, 1 running", "  a (h)  half"]);
    const later: DriverMessage[] = [
      { kind: "retry", task: "a", attempt: 2, reason: "its worker or node died (x)" },
      { kind: "started", task: "a", attempt: 2, host: "g", pid: 2 },
      { kind: "failed", task: "b", reason: "exit code 1", tail: ["one", "two"] },
      { kind: "skipped", task: "c", reason: "it waits for b" },
    ];
    expect(stateLines(later.reduce(afterMessage, state))).toEqual([
      "0 of 3 tasks done, 1 running, 2 failed",
      "  a (g)",
    ]);
    expect([...messages, ...later].map(eventText)).toEqual([
      "Ray: no node has 1 core for a task yet; waiting for one",
      "Ray: 2 nodes, 2 cores",
      "a: on h",
      null,
      null,
      "a: its worker or node died (x); started again",
      "a: on g, attempt 2",
      "b: failed: exit code 1\n  one\n  two",
      "c: not run: it waits for b",
    ]);
  });
});

describe("the display", () => {
  const stream = (isTTY: boolean) => {
    let text = "";
    return { isTTY, columns: 30, rows: 6, write: (piece: string) => (text += piece), read: () => text };
  };

  it("in a log file: events at once, the block in ten seconds, where it has changed", () => {
    const out = stream(false);
    let now = 0;
    const display = clusterDisplay(out, () => now);
    display.block(["x"]);
    display.event("e\x1b[2J");
    display.block(["y"]);
    now = 10_000;
    display.block(["x"]);
    display.block(["z"]);
    expect(out.read()).toBe("x\ne\\u001b[2J\nz\n");
  });

  it("on a terminal: one block, cut to its size, below all events", () => {
    const out = stream(true);
    const display = clusterDisplay(out);
    display.block(["a".repeat(50), "b", "c", "d", "e"]);
    display.event("event");
    display.block(["f"]);
    const erase = "\x1b[4A\r\x1b[J";
    const block = `${"a".repeat(29)}\nb\nc\nd\n`;
    expect(out.read()).toBe(`${block}${erase}event\n${block}${erase}f\n`);
  });
});

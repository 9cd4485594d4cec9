/** Shows how a job comes on: a block of lines that is written anew on a terminal, a line now and then elsewhere. */
import { visibleText } from "../util/visible-text";

/** Where lines cannot be rewritten (a log file), the block is written once in this time. */
const PLAIN_INTERVAL_MS = 10_000;

export interface ClusterDisplay {
  /** A line that stays. */
  event(text: string): void;
  /** What stands below all events. */
  block(lines: readonly string[]): void;
  /** Leaves the last block. */
  close(): void;
}

type Stream = Pick<NodeJS.WriteStream, "isTTY" | "columns" | "rows"> & { write(text: string): unknown };

/** @param now a clock, milliseconds */
export function clusterDisplay(stream: Stream = process.stderr, now: () => number = Date.now): ClusterDisplay {
  let shown: string[] = [];
  let drawn = -Infinity;
  if (!stream.isTTY)
    return {
      event: (text) => void stream.write(`${visibleText(text)}\n`),
      block: (lines) => {
        const next = lines.map(visibleText);
        if (now() - drawn < PLAIN_INTERVAL_MS || next.join() === shown.join()) return;
        drawn = now();
        shown = next;
        stream.write(next.map((line) => `${line}\n`).join(""));
      },
      close: () => undefined,
    };
  const erase = (): string => (shown.length > 0 ? `\x1b[${shown.length}A\r\x1b[J` : "");
  const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
  return {
    event: (line) => void stream.write(`${erase()}${visibleText(line)}\n${text(shown)}`),
    block: (lines) => {
      const most = Math.max(2, (stream.rows ?? 24) - 2);
      const width = Math.max(20, (stream.columns ?? 80) - 1);
      const next = lines.slice(0, most).map((line) => visibleText(line).slice(0, width));
      stream.write(`${erase()}${text(next)}`);
      shown = next;
    },
    close: () => void (shown = []),
  };
}

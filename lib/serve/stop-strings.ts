/** Stop strings in a text that arrives in pieces. */

/** Takes pieces; what it gives never holds a stop string, nor the beginning of one that is not decided yet. */
export interface StopStrings {
  /** The text that is certain now. After `stopped` there is no more. */
  push(piece: string): { text: string; stopped: boolean };
  /** What was held back. */
  end(): string;
}

/** Length of the longest end of `text` that is the beginning of `stop`, but not all of it. */
function begun(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--)
    if (stop.startsWith(text.slice(-length))) return length;
  return 0;
}

export function stopStrings(stops: readonly string[]): StopStrings {
  let held = "";
  return {
    push: (piece) => {
      held += piece;
      const found = stops.map((stop) => held.indexOf(stop)).filter((place) => place >= 0);
      const stopped = found.length > 0;
      const certain = stopped
        ? Math.min(...found)
        : held.length - Math.max(0, ...stops.map((stop) => begun(held, stop)));
      const text = held.slice(0, certain);
      held = stopped ? "" : held.slice(certain);
      return { text, stopped };
    },
    end: () => {
      const text = held;
      held = "";
      return text;
    },
  };
}

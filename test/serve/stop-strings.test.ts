import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stopStrings } from "../../lib/serve/stop-strings";

/** What comes out of pieces, and whether a stop string ended it. */
function run(stops: string[], pieces: string[]): { text: string; stopped: boolean; parts: string[] } {
  const stream = stopStrings(stops);
  const parts: string[] = [];
  for (const piece of pieces) {
    const { text, stopped } = stream.push(piece);
    parts.push(text);
    if (stopped) return { text: parts.join(""), stopped, parts };
  }
  parts.push(stream.end());
  return { text: parts.join(""), stopped: false, parts };
}

const word = (most: number) =>
  fc.array(fc.constantFrom("a", "b", "<"), { minLength: 1, maxLength: most }).map((x) => x.join(""));

describe("stopStrings", () => {
  it("ends before a stop string that is spread over pieces, and gives back what was none", () => {
    expect(run(["</answer>"], ["a </ans", "w", "er> more"])).toMatchObject({ text: "a ", stopped: true });
    expect(run(["</answer>"], ["a </ans", "x"])).toMatchObject({ text: "a </ansx", stopped: false });
    expect(run(["</answer>"], ["a </ans"])).toMatchObject({ text: "a </ans", stopped: false });
    expect(run([], ["a", "b"]).parts).toEqual(["a", "b", ""]);
  });

  it("with one stop string: the text before it, however it is cut into pieces", () => {
    fc.assert(
      fc.property(word(3), fc.array(word(4), { maxLength: 8 }), (stop, pieces) => {
        const whole = pieces.join("");
        const at = whole.indexOf(stop);
        const { text, stopped } = run([stop], pieces);
        expect([text, stopped]).toEqual(at < 0 ? [whole, false] : [whole.slice(0, at), true]);
      }),
    );
  });

  it("with several: none of them is ever in the text, and without one all of it is there", () => {
    fc.assert(
      fc.property(
        fc.array(word(3), { minLength: 1, maxLength: 4 }),
        fc.array(word(4), { maxLength: 8 }),
        (stops, pieces) => {
          const { text, stopped } = run(stops, pieces);
          expect(stops.some((stop) => text.includes(stop))).toBe(false);
          expect(stopped).toBe(stops.some((stop) => pieces.join("").includes(stop)));
          expect(pieces.join("").startsWith(text)).toBe(true);
        },
      ),
    );
  });
});

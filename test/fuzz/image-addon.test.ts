/**
 * The image addon under plans of all sorts: right ones give what TypeScript gives, wrong ones are refused by their
 * field. Under sanitizers (tools/torture/sanitize.mjs) it also says what the C++ reads and writes beside its memory.
 */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { imageAddon, type ImageAddon, type PatchPlan } from "../../lib/processor/image-addon";
import { toRgb } from "../../lib/processor/image-pixels";
import { resizeBicubic } from "../../lib/processor/resize";

const tables = Float32Array.from({ length: 768 }, (_, i) => i & 255);
const side = fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.constantFrom(1, 2, 97, 300));

const plans: fc.Arbitrary<PatchPlan> = fc
  .record({
    width: side,
    height: side,
    channels: fc.constantFrom(3, 4),
    white: fc.boolean(),
    horizontalFirst: fc.boolean(),
    toWidth: side,
    toHeight: side,
    byte: fc.nat(255),
  })
  .map(({ byte, ...plan }) => ({
    ...plan,
    pixels: Uint8Array.from({ length: plan.width * plan.height * plan.channels }, (_, i) => (i * 31 + byte) & 255),
    patchSize: 1,
    mergeSize: 1,
    frames: 1,
    tables,
  }));

/** A field with something that does not belong there. */
const wrong = fc.tuple(
  fc.constantFrom<keyof PatchPlan>(
    "width",
    "height",
    "channels",
    "toWidth",
    "toHeight",
    "patchSize",
    "mergeSize",
    "frames",
    "pixels",
    "tables",
    "white",
  ),
  fc.constantFrom<unknown>(
    undefined,
    null,
    -1,
    0.5,
    NaN,
    Infinity,
    2 ** 32,
    2 ** 53,
    "3",
    {},
    [],
    new Uint8Array(1),
    new Float32Array(1),
    new Uint8Array(0),
  ),
);

describe.skipIf(process.env.FINE_R1_ENGINE === "js")("the image addon", () => {
  const addon = imageAddon() as ImageAddon;

  it("gives TypeScript's pixels for any size", async () => {
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const rgb = toRgb({ ...plan, data: plan.pixels }, plan.white ? "white" : "drop");
        const { data } = resizeBicubic(
          rgb,
          plan.toWidth,
          plan.toHeight,
          plan.horizontalFirst ? "horizontal" : "pillow13",
        );
        const result = await addon.patches(plan); // patches of one pixel: three numbers each
        expect(Buffer.compare(Buffer.from(Uint8Array.from(result)), Buffer.from(data))).toBe(0);
        addon.release(result);
      }),
      { seed: 7, numRuns: 120 },
    );
  });

  it("refuses what does not belong together, by its field", () => {
    fc.assert(
      fc.property(plans, wrong, (plan, [field, value]) => {
        expect(() => addon.patches({ ...plan, [field]: value })).toThrow(TypeError);
        expect(() => addon.patches({ ...plan, [field]: value })).toThrow(/^patches: /);
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it("refuses what is no plan, and no result", () => {
    for (const bad of [undefined, null, 1, "x"]) expect(() => addon.patches(bad as never)).toThrow(TypeError);
    for (const bad of [undefined, {}, new Uint8Array(0).buffer])
      expect(() => addon.release(bad as never)).toThrow(TypeError);
  });
});

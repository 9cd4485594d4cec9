import { describe, expect, it } from "vitest";
import { assertRoom, diskPlan } from "../../lib/experiment/disk";
import { freeBytes, roomInMemory } from "../../lib/util/room";
import { temporaryFolder } from "../benchmark/photographs/trees";

const folder = temporaryFolder();
const GIB = 2 ** 30;
const saving = { saveSteps: 4, saveTotalLimit: 2, visionLearningRateScale: 1 };

describe("room on the disk", () => {
  it("is counted: parameters and two moments for each checkpoint, the best and the one under way beside the latest", () => {
    const whole = diskPlan({ model: 1000, adapter: 0, trained: 800 }, saving);
    expect(whole).toEqual({
      checkpoints: 4,
      checkpointBytes: 12 * 800,
      resultBytes: 4000,
      bytes: 4 * 12 * 800 + 4000 + 2 ** 24,
    });
    expect(diskPlan({ model: 1000, adapter: 10, trained: 10 }, { ...saving, saveSteps: 0 }, 4040)).toEqual({
      checkpoints: 0,
      checkpointBytes: 120,
      resultBytes: 40 + 4040,
      bytes: 4080 + 2 ** 24,
    });
  });

  it("is refused with the numbers, before a training starts", () => {
    const plan = diskPlan({ model: GIB, adapter: 0, trained: GIB }, saving);
    expect(() => assertRoom("runs/x", plan, 10 * GIB)).toThrow(
      /^runs\/x: 52\.02 GiB are needed on this disk, 10\.00 GiB are free: 4 checkpoints of 12\.00 GiB .*saveTotalLimit/,
    );
    expect(() => assertRoom("runs/x", plan, plan.bytes)).not.toThrow();
    expect(() => assertRoom("runs/x", plan, plan.bytes - 1)).toThrow();
  });

  it("is told of a folder that is not there yet by the one that will hold it", () => {
    expect(freeBytes(`${folder}/not/yet`)).toBeGreaterThan(0);
    expect(freeBytes(`${folder}/not/yet`) / freeBytes(folder)).toBeCloseTo(1, 1);
    expect(roomInMemory()).toBeGreaterThan(2 ** 20);
  });
});

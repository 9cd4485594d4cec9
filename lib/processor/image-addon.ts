/**
 * The image addon: resizing and cutting into patches in C++ (`native/image/`), on libuv's threads beside sharp's
 * decoding. Set-up builds it; where it is not there, `processImage` gives the same pixels from TypeScript.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { repositoryRoot } from "../util/root";

/** What becomes of an image. Sides are from 1 to 2^20. */
export interface PatchPlan {
  /**
   * width * height * channels bytes. Not to be transferred to another thread, or written, before the promise settles.
   */
  pixels: Uint8Array;
  width: number;
  height: number;
  /** 3, or 4 with alpha. */
  channels: number;
  /** Transparent pixels go on white; otherwise alpha is dropped. */
  white: boolean;
  /** Multiples of patchSize * mergeSize. */
  toWidth: number;
  toHeight: number;
  /** The order of passes `horizontal` of `resizeBicubic`; otherwise `pillow13`. */
  horizontalFirst: boolean;
  patchSize: number;
  mergeSize: number;
  /** How often each patch is repeated: temporalPatchSize. */
  frames: number;
  /** [3 * 256]: the normalised value of each byte, by channel. */
  tables: Float32Array;
}

export interface ImageAddon {
  /**
   * `ProcessedImage.pixelValues` of an image, to the bit.
   * @throws TypeError, at once, naming the field that is missing or wrong; the promise is rejected where memory runs
   * out
   */
  patches(plan: PatchPlan): Promise<Float32Array>;
  /** Gives a result's memory back at once; the array is empty after. */
  release(result: Float32Array): void;
}

let loaded: { addon: ImageAddon | null; problem: string | null } | null = null;

function load(): { addon: ImageAddon | null; problem: string | null } {
  if (process.env.FINE_R1_ENGINE === "js") return { addon: null, problem: "FINE_R1_ENGINE=js asks for TypeScript" };
  const file = path.join(repositoryRoot(), ".setup/image/image.node");
  if (!existsSync(file)) return { addon: null, problem: "not built: node tools/setup.mjs" };
  try {
    // eslint-disable-next-line @typescript-eslint/no-require-imports -- optional: a missing addon must not throw
    const addon = require(file) as Partial<ImageAddon>;
    if (typeof addon.patches !== "function" || typeof addon.release !== "function")
      return { addon: null, problem: "of an older version: node tools/setup.mjs" };
    return { addon: addon as ImageAddon, problem: null };
  } catch (error) {
    return { addon: null, problem: error instanceof Error ? error.message.split("\n")[0] : String(error) };
  }
}

/** The addon; null where it is not there. */
export function imageAddon(): ImageAddon | null {
  return (loaded ??= load()).addon;
}

/** Why the addon is not there; null where it is. */
export function imageAddonProblem(): string | null {
  return (loaded ??= load()).problem;
}

/**
 * 256 images of 224 to 1,000 pixels, 192 JPEG and 64 PNG, from file to `pixel_values`, in batches of 16.
 *
 * Variants: `one` waits for each image, `together` asks for a batch at once as `Processor.prompt` does: sharp then decodes on its
 * threads while patches are cut on this one. Equal on both sides: files, limits, patches (their number is the checksum).
 */
import { loadImage, processImage } from "../../../lib/processor/image-processor";
import { parsePreprocessorConfig } from "../../../lib/processor/preprocessor-config";
import { benchImages } from "../images";
import type { BenchCase } from "../types";
import { words } from "../variant";

const BATCH = 16;

export async function setUp(variant: string): Promise<BenchCase> {
  const files = await benchImages();
  const config = parsePreprocessorConfig({});
  const patches = async (file: string): Promise<number> => {
    const [, rows, columns] = processImage(config, await loadImage(file)).grid;
    return rows * columns;
  };
  const { together } = words(variant);
  return {
    run: async () => {
      let count = 0;
      for (let i = 0; i < files.length; i += together ? BATCH : 1) {
        for (const one of await Promise.all(files.slice(i, i + (together ? BATCH : 1)).map(patches))) count += one;
      }
      return count;
    },
    work: { images: files.length },
  };
}

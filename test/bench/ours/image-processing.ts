/**
 * 256 images of 224 to 1,000 pixels, 192 JPEG and 64 PNG, from file to `pixel_values`, in batches of 16.
 *
 * Variants: `one` waits for each image, `together` asks for a batch at once as `Processor.prompt` does, so that libuv's
 * threads decode and cut several images at a time; `batches=2` keeps two batches under way, as the peers' `threads` do.
 * Equal on both sides: files, limits, patches (their number is the checksum). The pixels are those of the processor by
 * Pillow to the bit; the one by torchvision differs by some 8-bit steps.
 */
import { disposeImage, readImage } from "../../../lib/processor/image-processor";
import { imageAddonProblem } from "../../../lib/processor/image-addon";
import { parsePreprocessorConfig } from "../../../lib/processor/preprocessor-config";
import { benchImages } from "../images";
import type { BenchCase } from "../types";
import { numbers, words } from "../variant";

const BATCH = 16;

export async function setUp(variant: string): Promise<BenchCase> {
  const problem = imageAddonProblem();
  if (problem !== null) throw new Error(`the image addon is not there: ${problem}`);
  const files = await benchImages();
  const config = parsePreprocessorConfig({});
  const { batches } = numbers(variant, { batches: 1 }, ["one", "together"]);
  const size = words(variant).one ? 1 : BATCH;
  const patches = async (file: string): Promise<number> => {
    const image = await readImage(config, file);
    disposeImage(image); // as Python does when nothing refers to an array any more
    const [, rows, columns] = image.grid;
    return rows * columns;
  };
  const run = async (): Promise<number> => {
    let [next, count] = [0, 0];
    const lane = async (): Promise<void> => {
      while (next < files.length) {
        const batch = files.slice(next, (next += size));
        for (const one of await Promise.all(batch.map(patches))) count += one;
      }
    };
    await Promise.all(Array.from({ length: batches }, lane));
    return count;
  };
  return { run, work: { images: files.length } };
}

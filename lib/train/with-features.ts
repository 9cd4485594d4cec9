/** Features of images for as long as they are used. */
import type { Params, Tensor } from "../engine/tensorflow";
import type { AugmentBy } from "./images";
import type { Workbench } from "./workbench";

/**
 * What `use` makes of the features `[N, hiddenSize]` of images, which must be loaded (`Workbench.features`). The
 * features are disposed afterwards, also where `use` throws.
 * @throws Error as `bench.features` and `use` do
 */
export function withFeatures<T>(
  bench: Pick<Workbench, "features">,
  params: Params,
  images: readonly string[],
  use: (features: Tensor) => T,
  augmentBy: AugmentBy | null = null,
): T {
  const features = bench.features(params, images, augmentBy);
  try {
    return use(features);
  } finally {
    features.dispose();
  }
}

// Pillow's bicubic resampling of 8-bit RGB (libImaging/Resample.c), and the cut into Qwen2-VL's patches.
// Equal to lib/processor/resize.ts and image-processor.ts to the bit: what changes here changes there.
#pragma once
#include <cstddef>
#include <cstdint>

namespace fine_r1 {

constexpr size_t kChannels = 3;

enum class Order { kPillow13, kHorizontal };

/** What becomes of an image. The caller has checked every size; `pixels` holds width * height * channels bytes. */
struct Plan {
  const uint8_t* pixels;
  size_t width, height;
  /** 3, or 4 with alpha. */
  size_t channels;
  /** Transparent pixels go on white; otherwise alpha is dropped. */
  bool white;
  /** Both sides are multiples of patch * merge. */
  size_t to_width, to_height;
  Order order;
  size_t patch, merge, frames;
  /** The normalised value of each byte, 256 for each channel. */
  float tables[kChannels * 256];

  size_t output_length() const { return to_width * to_height * kChannels * frames; }
};

/** Writes `plan.output_length()` numbers. Throws std::bad_alloc. Any thread. */
void make_patches(const Plan& plan, float* out);

}  // namespace fine_r1

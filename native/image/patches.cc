#include "patches.h"

#include <emmintrin.h>  // SSE2, which every x86-64 processor has

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

// One copy of a function per instruction set; the loader picks the best that the processor has.
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx2", "default")))

namespace fine_r1 {
namespace {

using Bytes = std::unique_ptr<uint8_t[]>;

/** Not zeroed. */
Bytes bytes(size_t length) { return Bytes(new uint8_t[length]); }

constexpr int kPrecisionBits = 32 - 8 - 2;

/** Keys' cubic convolution kernel with a = -0.5. */
double bicubic(double x) {
  constexpr double a = -0.5;
  const double d = std::fabs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
  return 0;
}

/** The input samples of one output sample; `weights` is the place of the first weight. */
struct Tap {
  size_t start, count, weights;
};

struct Taps {
  std::vector<Tap> taps;
  /** Fixed-point, kPrecisionBits fractional bits. */
  std::vector<int32_t> weights;
};

Taps taps_of(size_t in_size, size_t out_size) {
  const double scale = static_cast<double>(in_size) / static_cast<double>(out_size);
  const double filter_scale = std::max(scale, 1.0);
  const double support = 2 * filter_scale;
  Taps result;
  result.taps.reserve(out_size);
  std::vector<double> row;
  for (size_t i = 0; i < out_size; i++) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const double start = std::max(0.0, std::trunc(center - support + 0.5));
    const double end = std::min(static_cast<double>(in_size), std::trunc(center + support + 0.5));
    row.clear();
    double total = 0;
    for (double j = 0; j < end - start; j++) {
      row.push_back(bicubic((j + start - center + 0.5) * (1 / filter_scale)));
      total += row.back();
    }
    result.taps.push_back({static_cast<size_t>(start), row.size(), result.weights.size()});
    for (const double w : row) {
      const double scaled = (total == 0 ? w : w / total) * (1 << kPrecisionBits);
      result.weights.push_back(static_cast<int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return result;
}

/** Samples summed at once: their sums stay in registers or the first cache. */
constexpr size_t kBlock = 96;

}  // namespace

/**
 * out[x] = the weighted sum of in[x], in[stride + x], …, rounded and clipped to a byte. Sums are below 2^31: weights
 * add up to 2^kPrecisionBits, their negative lobes to less than a third of that.
 */
FOR_EACH_PROCESSOR void weigh_rows(const uint8_t* in, size_t stride, const int32_t* weights, size_t count, size_t width,
                                   uint8_t* out) {
  for (size_t x = 0; x < width; x += kBlock) {
    const size_t n = std::min(kBlock, width - x);
    int32_t sums[kBlock];
    for (size_t k = 0; k < n; k++) sums[k] = 1 << (kPrecisionBits - 1);
    const uint8_t* row = in + x;
    size_t j = 0;
    for (; j + 4 <= count; j += 4, row += 4 * stride) {
      const int32_t a = weights[j], b = weights[j + 1], c = weights[j + 2], d = weights[j + 3];
      for (size_t k = 0; k < n; k++)
        sums[k] += row[k] * a + row[stride + k] * b + row[2 * stride + k] * c + row[3 * stride + k] * d;
    }
    for (; j < count; j++, row += stride) {
      for (size_t k = 0; k < n; k++) sums[k] += row[k] * weights[j];
    }
    for (size_t k = 0; k < n; k++) {
      const int32_t value = sums[k] >> kPrecisionBits;
      out[x + k] = static_cast<uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
    }
  }
}

namespace {

constexpr size_t kTile = 16;

/** Transposes 16 x 16 bytes: four rounds, each interleaving the upper half of the rows with the lower. */
void transpose_tile(const uint8_t* in, size_t in_stride, uint8_t* out, size_t out_stride) {
  __m128i a[kTile], b[kTile];
  for (size_t i = 0; i < kTile; i++) a[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i * in_stride));
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < kTile / 2; i++) {
      b[2 * i] = _mm_unpacklo_epi8(a[i], a[i + kTile / 2]);
      b[2 * i + 1] = _mm_unpackhi_epi8(a[i], a[i + kTile / 2]);
    }
    std::copy(b, b + kTile, a);
  }
  for (size_t i = 0; i < kTile; i++) _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i * out_stride), a[i]);
}

/** Transposes rows x columns bytes; tiles that reach over an edge go by a copy. */
void transpose(const uint8_t* in, size_t rows, size_t columns, size_t in_stride, uint8_t* out, size_t out_stride) {
  for (size_t y = 0; y < rows; y += kTile) {
    for (size_t x = 0; x < columns; x += kTile) {
      const size_t height = std::min(kTile, rows - y), width = std::min(kTile, columns - x);
      const uint8_t* from = in + y * in_stride + x;
      uint8_t* to = out + x * out_stride + y;
      if (height == kTile && width == kTile) {
        transpose_tile(from, in_stride, to, out_stride);
        continue;
      }
      uint8_t tile[kTile * kTile] = {}, turned[kTile * kTile];
      for (size_t i = 0; i < height; i++) std::memcpy(tile + i * kTile, from + i * in_stride, width);
      transpose_tile(tile, kTile, turned, kTile);
      for (size_t i = 0; i < width; i++) std::memcpy(to + i * out_stride, turned + i * kTile, height);
    }
  }
}

/** Rows that the horizontal pass takes at once. */
constexpr size_t kStrip = 32;

/** An RGB image, and its memory where that isn't the caller's. */
struct Image {
  size_t width, height;
  const uint8_t* data;
  Bytes owned;

  size_t row() const { return width * kChannels; }
};

Image image_of(size_t width, size_t height, Bytes data) {
  const uint8_t* at = data.get();
  return {width, height, at, std::move(data)};
}

/** One axis of an image at another size, some rows of the result at a time. */
class Pass {
 public:
  virtual ~Pass() = default;
  /** Writes `count` rows from `top` on, one after the other. */
  virtual void rows(size_t top, size_t count, uint8_t* out) = 0;
};

/** In strips of rows, transposed: the channels of a pixel are kStrip samples each then, and samples of a weight
 * adjacent. */
class Horizontal : public Pass {
 public:
  Horizontal(const Image& image, size_t width)
      : image_(image),
        width_(width),
        taps_(taps_of(image.width, width)),
        before_(bytes(image.width * kPixel)),
        after_(bytes(width * kPixel)) {}

  void rows(size_t top, size_t count, uint8_t* out) override {
    const size_t row = width_ * kChannels;
    for (const size_t end = top + count; top < end; top += kStrip, out += kStrip * row) {
      const size_t height = std::min(kStrip, end - top);
      transpose(image_.data + top * image_.row(), height, image_.row(), image_.row(), before_.get(), kStrip);
      for (size_t i = 0; i < width_; i++) {
        const Tap& tap = taps_.taps[i];
        weigh_rows(before_.get() + tap.start * kPixel, kPixel, taps_.weights.data() + tap.weights, tap.count, kPixel,
                   after_.get() + i * kPixel);
      }
      transpose(after_.get(), row, height, kStrip, out, row);
    }
  }

 private:
  static constexpr size_t kPixel = kChannels * kStrip;
  const Image& image_;
  const size_t width_;
  const Taps taps_;
  const Bytes before_, after_;
};

class Vertical : public Pass {
 public:
  Vertical(const Image& image, size_t height) : image_(image), taps_(taps_of(image.height, height)) {}

  void rows(size_t top, size_t count, uint8_t* out) override {
    const size_t row = image_.row();
    for (size_t i = top; i < top + count; i++, out += row) {
      const Tap& tap = taps_.taps[i];
      weigh_rows(image_.data + tap.start * row, row, taps_.weights.data() + tap.weights, tap.count, row, out);
    }
  }

 private:
  const Image& image_;
  const Taps taps_;
};

/** Pillow's `alpha_composite` of one channel on white, 7 bits of precision. */
uint8_t on_white(uint32_t value, uint32_t alpha) {
  if (alpha == 0) return 255;
  const uint32_t coefficient = alpha * 128;
  const uint32_t sum = value * coefficient + 255 * (255 * 128 - coefficient) + (0x80 << 7);
  return static_cast<uint8_t>((((sum >> 8) + sum) >> 8) >> 7);
}

Image rgb_of(const Plan& plan) {
  if (plan.channels == kChannels) return {plan.width, plan.height, plan.pixels, nullptr};
  const size_t count = plan.width * plan.height;
  Bytes out = bytes(count * kChannels);
  for (size_t i = 0; i < count; i++) {
    const uint8_t* pixel = plan.pixels + 4 * i;
    for (size_t c = 0; c < kChannels; c++)
      out[i * kChannels + c] = plan.white ? on_white(pixel[c], pixel[3]) : pixel[c];
  }
  return image_of(plan.width, plan.height, std::move(out));
}

/**
 * A row of merge blocks: patches grouped by block; channels before frames before rows, every frame the same.
 * @param p the size of a patch, a constant where this is inlined
 * @return the end of what was written
 */
inline __attribute__((always_inline)) float* cut(const Plan& plan, const uint8_t* rows, const size_t p,
                                                 float* __restrict out) {
  const size_t row = plan.to_width * kChannels;
  for (size_t left = 0; left < plan.to_width; left += p * plan.merge) {
    for (size_t inner = 0; inner < plan.merge * plan.merge; inner++) {
      const size_t y = inner / plan.merge * p, x = left + inner % plan.merge * p;
      for (size_t c = 0; c < kChannels; c++) {
        const float* table = plan.tables + c * 256;
        const uint8_t* from = rows + y * row + x * kChannels + c;
        for (size_t dy = 0; dy < p; dy++, from += row) {
          for (size_t dx = 0; dx < p; dx++) out[dy * p + dx] = table[from[dx * kChannels]];
        }
        for (size_t i = 1; i < plan.frames; i++) std::memcpy(out + i * p * p, out, p * p * sizeof(float));
        out += plan.frames * p * p;
      }
    }
  }
  return out;
}

/** The image with one axis resized, or moved through where its size stays. */
template <class OneAxis>
Image whole(Image image, size_t width, size_t height, size_t size, size_t to_size) {
  if (size == to_size) return image;
  Bytes out = bytes(width * height * kChannels);
  OneAxis(image, to_size).rows(0, height, out.get());
  return image_of(width, height, std::move(out));
}

}  // namespace

void make_patches(const Plan& plan, float* out) {
  const size_t block = plan.patch * plan.merge, row = plan.to_width * kChannels;
  const ptrdiff_t fewer_rows = static_cast<ptrdiff_t>(plan.height) - static_cast<ptrdiff_t>(plan.to_height);
  const ptrdiff_t fewer_columns = static_cast<ptrdiff_t>(plan.width) - static_cast<ptrdiff_t>(plan.to_width);
  const bool vertical_first = plan.order == Order::kPillow13 && fewer_rows > 0 && fewer_rows > 2 * fewer_columns;

  // The first pass makes a whole image; of the second each row of blocks is cut at once, while the cache has it.
  const Image image = vertical_first
                          ? whole<Vertical>(rgb_of(plan), plan.width, plan.to_height, plan.height, plan.to_height)
                          : whole<Horizontal>(rgb_of(plan), plan.to_width, plan.height, plan.width, plan.to_width);
  std::unique_ptr<Pass> second;
  if (image.width != plan.to_width) second = std::make_unique<Horizontal>(image, plan.to_width);
  if (image.height != plan.to_height) second = std::make_unique<Vertical>(image, plan.to_height);
  const Bytes strip = second ? bytes(block * row) : nullptr;
  for (size_t top = 0; top < plan.to_height; top += block) {
    if (second) second->rows(top, block, strip.get());
    const uint8_t* rows = second ? strip.get() : image.data + top * row;
    out =
        plan.patch == 14 ? cut(plan, rows, 14, out) : cut(plan, rows, plan.patch, out);  // Qwen2-VL's patches, unrolled
  }
}

}  // namespace fine_r1

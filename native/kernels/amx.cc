// Products of matrices on AMX, the matrix unit of Intel's server processors since Sapphire Rapids, which multiplies bfloat16 and adds in
// float32, 16 times as much a cycle as AVX-512 does in float32. Two precisions:
//
// - bfloat16: each number is rounded when a block is packed, so no rounded copy of a whole matrix is ever written.
// - float32: each number is the sum of three bfloat16 numbers, which hold its 24 bits: x = x1 + x2 + x3. Of the nine products of parts the
//   six largest are added up, x1 y1 + x1 y2 + x2 y1 + x2 y2 + x1 y3 + x3 y1; the three left out are below 2^-26 of x y, less than float32
//   rounds off (Henry, Tang and Heinecke 2019, arXiv 1904.06376: "bfloat16 x 3"). Two limits: an infinite number, or one above 3.39e38,
//   bfloat16's largest, makes NaN of what it meets; and the unit has no denormal numbers, so products below 1e-32 lose digits.
#include "library.h"

#if defined(__GNUC__) && __GNUC__ >= 11
// (its "undefined" registers are uninitialised by intent)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#pragma GCC target("amx-tile,amx-bf16,avx512bf16,avx512f,avx512dq,avx512vl,avx512bw")

namespace fine_r1 {
namespace amx {
namespace {

#define FINE_R1_WIDTH 16
#include "simd.inc"

/** Lines (rows of the left matrix, columns of the right one) of a tile, and places of the inner dimension. */
constexpr int64_t kLines = 16, kPlaces = 32, kTile = 1024;
/** Lines of a panel: two tiles, so that a step multiplies two by two. */
constexpr int64_t kPanel = 2 * kLines;
/** Places that are packed at a time: a panel of three parts (24 KiB) then stays in the first-level cache. */
constexpr int64_t kDepth = 128;

struct alignas(64) TileConfig {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_a_row[16] = {};
  uint8_t rows[16] = {};
  TileConfig() {
    for (int i = 0; i < 8; i++) {
      bytes_a_row[i] = 64;
      rows[i] = kLines;
    }
  }
};

/** The tiles of this thread while it lives. (GCC 12's _tile_loadconfig doesn't say that it reads all of its argument.) */
class Tiles {
 public:
  Tiles() {
    static const TileConfig config;
    asm volatile("ldtilecfg %0" ::"m"(config) : "memory");
  }
  ~Tiles() { asm volatile("tilerelease" ::: "memory"); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

/** Memory that a thread keeps between calls: a new block of this size each time would be mapped and zeroed by the system each time. */
char* thread_scratch(size_t bytes) {
  struct Block {
    char* data = nullptr;
    size_t size = 0;
    ~Block() { std::free(data); }
  };
  static thread_local Block block;
  if (block.size < bytes) {
    std::free(block.data);
    block.size = 0;
    block.data = static_cast<char*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
    if (block.data == nullptr) throw std::bad_alloc();
    block.size = bytes;
  }
  return block.data;
}

#include "amx-pack.inc"

/**
 * Tiles 0 to 3 += the product of a pair of tiles, 4 and 5, with another, 6 and 7, of which the pair at `left` or `right` is loaded first;
 * null: what is there. Each tile is loaded just before it is needed, while those before are multiplied.
 */
template <bool NewLeft, bool NewRight>
INLINE void multiply(const char* left, const char* right) {
  if (NewLeft) _tile_loadd(4, left, 64);
  if (NewRight) _tile_loadd(6, right, 64);
  _tile_dpbf16ps(0, 4, 6);
  if (NewLeft) {
    if (NewRight) _tile_loadd(7, right + kTile, 64);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, left + kTile, 64);
    _tile_dpbf16ps(2, 5, 6);
  } else {
    _tile_dpbf16ps(2, 5, 6);
    if (NewRight) _tile_loadd(7, right + kTile, 64);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_dpbf16ps(3, 5, 7);
}

/** Adds the product of two panels to tiles 0 to 3. */
template <int Parts>
INLINE void multiply_panels(const char* a, const char* b, int64_t steps) {
  for (int64_t step = 0; step < steps; step++, a += Parts * 2 * kTile, b += Parts * 2 * kTile) {
    if (Parts == 1) {
      multiply<true, true>(a, b);
    } else {
      const char *a1 = a, *a2 = a + 2 * kTile, *a3 = a + 4 * kTile, *b1 = b, *b2 = b + 2 * kTile, *b3 = b + 4 * kTile;
      multiply<true, true>(a3, b1);
      multiply<true, false>(a2, nullptr);
      multiply<false, true>(nullptr, b2);
      multiply<true, false>(a1, nullptr);
      multiply<false, true>(nullptr, b3);
      multiply<false, true>(nullptr, b1);
    }
  }
}

/** Where four tiles of the result start from. */
enum class From { zero, bias, result };

/** c[32, 32] = from + the product of two panels. */
template <int Parts>
void block(const char* a, const char* b, int64_t steps, From from, const float* bias, float* c, int64_t c_stride) {
  asm volatile("" ::: "memory");
  const int64_t stride = c_stride * 4;
  if (from == From::zero) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    // a stride of 0 makes the bias each row of a tile
    const float* start = from == From::bias ? bias : c;
    const int64_t start_stride = from == From::bias ? 0 : stride;
    const float* below = from == From::bias ? start : start + kLines * c_stride;
    _tile_loadd(0, start, start_stride);
    _tile_loadd(1, start + kLines, start_stride);
    _tile_loadd(2, below, start_stride);
    _tile_loadd(3, below + kLines, start_stride);
  }
  multiply_panels<Parts>(a, b, steps);
  _tile_stored(0, c, stride);
  _tile_stored(1, c + kLines, stride);
  _tile_stored(2, c + kLines * c_stride, stride);
  _tile_stored(3, c + kLines * c_stride + kLines, stride);
  asm volatile("" ::: "memory");
}

/** The same at an edge, where only `rows` by `columns` are there. */
template <int Parts>
void edge_block(const char* a, const char* b, int64_t steps, From from, const float* bias, float* c, int64_t c_stride, int64_t rows, int64_t columns) {
  alignas(64) float whole[kPanel * kPanel] = {}, whole_bias[kPanel] = {};
  if (from == From::bias) std::memcpy(whole_bias, bias, columns * sizeof(float));
  if (from == From::result) {
    for (int64_t i = 0; i < rows; i++) std::memcpy(whole + i * kPanel, c + i * c_stride, columns * sizeof(float));
  }
  block<Parts>(a, b, steps, from, whole_bias, whole, kPanel);
  for (int64_t i = 0; i < rows; i++) std::memcpy(c + i * c_stride, whole + i * kPanel, columns * sizeof(float));
}

template <int Parts>
void blocks(const MatMul& o, int64_t begin, int64_t end) {
  const auto panels = [](int64_t lines) { return (lines + kPanel - 1) / kPanel; };
  const int64_t panel_bytes = kDepth / kPlaces * Parts * 2 * kTile;
  char* const left = thread_scratch((panels(o.block_m) + panels(o.block_n)) * panel_bytes);
  char* const right = left + panels(o.block_m) * panel_bytes;
  const Tiles tiles;
  // what is packed of each matrix: its first line and place
  std::pair<int64_t, int64_t> left_is{-1, -1}, right_is{-1, -1};
  for (int64_t job = begin; job < end; job++) {
    const int64_t slice = job / (o.blocks_m() * o.blocks_n()), row = job % o.blocks_m() * o.block_m, column = job / o.blocks_m() % o.blocks_n() * o.block_n;
    const int64_t first = slice * o.slice_depth, last = std::min(first + o.slice_depth, o.k);
    float* const result = o.c + slice * o.m * o.n;
    const int64_t rows = std::min(o.block_m, o.m - row), columns = std::min(o.block_n, o.n - column);
    for (int64_t place = first; place < last; place += kDepth) {
      const int64_t depth = std::min(kDepth, last - place), steps = (depth + kPlaces - 1) / kPlaces, step_bytes = steps * Parts * 2 * kTile;
      if (left_is != std::pair{row, place}) pack<Parts>(o.a, false, row, rows, place, depth, left);
      if (right_is != std::pair{column, place}) pack<Parts>(o.b, true, column, columns, place, depth, right);
      left_is = {row, place};
      right_is = {column, place};
      const From from = place > first ? From::result : o.bias != nullptr ? From::bias : From::zero;
      for (int64_t i = 0; i < rows; i += kPanel) {
        for (int64_t j = 0; j < columns; j += kPanel) {
          const char *a = left + i / kPanel * step_bytes, *b = right + j / kPanel * step_bytes;
          float* c = result + (row + i) * o.n + column + j;
          const float* bias = o.bias == nullptr ? nullptr : o.bias + column + j;
          if (i + kPanel <= rows && j + kPanel <= columns) block<Parts>(a, b, steps, from, bias, c, o.n);
          else edge_block<Parts>(a, b, steps, from, bias, c, o.n, std::min(kPanel, rows - i), std::min(kPanel, columns - j));
        }
      }
    }
  }
}

#include "amx-mlp.inc"

}  // namespace

void mat_mul(const MatMul& o, int64_t begin, int64_t end) {
  if (o.rounds) blocks<1>(o, begin, end);
  else blocks<3>(o, begin, end);
}

void pack_mlp(const SwiGluMlp& o, int64_t begin, int64_t end) {
  if (o.rounds) pack_weights<1>(o, begin, end);
  else pack_weights<3>(o, begin, end);
}
void swiglu_mlp(const SwiGluMlp& o, int64_t begin, int64_t end) {
  if (o.rounds) mlp<1>(o, begin, end);
  else mlp<3>(o, begin, end);
}
void swiglu_mlp_grad(const SwiGluMlp& o, int64_t begin, int64_t end) {
  if (o.rounds) mlp_grad<1>(o, begin, end);
  else mlp_grad<3>(o, begin, end);
}

bool is_there() {
  if (!__builtin_cpu_supports("avx512bf16")) return false;
  unsigned a = 7, b, c = 0, d;
  asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  constexpr unsigned kBf16 = 1u << 22, kTileUnit = 1u << 24;
  if ((d & kBf16) == 0 || (d & kTileUnit) == 0) return false;
  // Linux gives a process the tiles' registers when it asks for them
  constexpr long kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}

}  // namespace amx
}  // namespace fine_r1

#else

namespace fine_r1 {
namespace amx {
void mat_mul(const MatMul&, int64_t, int64_t) {}
void pack_mlp(const SwiGluMlp&, int64_t, int64_t) {}
void swiglu_mlp(const SwiGluMlp&, int64_t, int64_t) {}
void swiglu_mlp_grad(const SwiGluMlp&, int64_t, int64_t) {}
bool is_there() { return false; }
}  // namespace amx
}  // namespace fine_r1

#endif

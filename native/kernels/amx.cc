// Products of matrices on AMX, the matrix unit of Intel's server processors since Sapphire Rapids, which multiplies
// bfloat16 and adds in float32, 16 times as much a cycle as AVX-512 does in float32. Two precisions:
//
// - bfloat16: each number is rounded when a block is packed, so no rounded copy of a whole matrix is ever written.
// - float32: each number is the sum of three bfloat16 numbers, which hold its 24 bits: x = x1 + x2 + x3. Of the nine
//   products of parts the six largest are added up, x1 y1 + x1 y2 + x2 y1 + x2 y2 + x1 y3 + x3 y1; the three left out
//   are below 2^-26 of x y, less than float32 rounds off (Henry, Tang and Heinecke 2019, arXiv 1904.06376:
//   "bfloat16 x 3"). Two limits: an infinite number, or one above 3.39e38, bfloat16's largest, makes NaN of what it
//   meets; and the unit has no denormal numbers, so products below 1e-32 lose digits.
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
#include "exponential.inc"

/** Lines (rows of the left matrix, columns of the right one) of a tile, and places of the inner dimension. */
constexpr int64_t kLines = 16, kPlaces = 32, kTile = 1024;
/** Lines of a panel: two tiles, so that a step multiplies two by two. */
constexpr int64_t kPanel = 2 * kLines;
/** Places that are packed at a time: a panel of three parts (24 KiB) then stays in the first-level cache. */
constexpr int64_t kDepth = 128;

INLINE int64_t steps_of(int64_t places) { return (places + kPlaces - 1) / kPlaces; }

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

/** The tiles of this thread while it lives. (GCC 12's _tile_loadconfig doesn't say that it reads all of its argument.)
 */
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

#include "amx-pack.inc"

/**
 * Tiles 0 to 3 += the product of a pair of tiles, 4 and 5, with another, 6 and 7, of which the pair at `left` or
 * `right` is loaded first; null: what is there. Each tile is loaded just before it is needed, while those before are
 * multiplied.
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

#include "products.inc"

/** c[32, 32] = from + the product of two panels. */
template <int Parts>
void block(const char* a, const char* b, int64_t steps, From from, float* c, int64_t c_stride) {
  asm volatile("" ::: "memory");
  const int64_t stride = c_stride * 4;
  if (from.numbers == nullptr) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  } else {
    // a stride of 0 makes one row each row of a tile
    const float *const start = from.numbers, *const below = start + kLines * from.stride;
    const int64_t start_stride = from.stride * 4;
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

/** Numbers as the sum of `Parts` parts. */
template <int Parts>
struct Unit {
  static constexpr int64_t kLeft = kPanel, kRight = kPanel, kDepth = amx::kDepth;
  static constexpr bool kReadsPanels = false;
  using Turn = Tiles;
  static int64_t packs(int64_t) { return kDepth; }
  static int64_t multiplies(int64_t depth) { return depth; }
  static int64_t line_bytes(int64_t places) { return steps_of(places) * amx::kPlaces * 2 * Parts; }
  static int64_t left_bytes(int64_t lines, int64_t places) { return to_panels(lines) * line_bytes(places); }
  static void pack(const Matrix& matrix, bool right, int64_t line, int64_t lines, int64_t place, int64_t depth,
                   char* to) {
    amx::pack<Parts>(matrix, right, line, lines, place, depth, to);
  }
  static Left left(const Matrix& matrix, int64_t line, int64_t lines, int64_t place, int64_t depth, char* to) {
    pack(matrix, false, line, lines, place, depth, to);
    return {to, line_bytes(depth)};
  }
  static Left line_of(const Left& a, int64_t i, int64_t) { return {a.data + i * a.line, a.line}; }

  static void multiply(const Left& a, const char* b, int64_t rows, int64_t, int64_t, int64_t places, From from,
                       float* c, int64_t stride, Ahead*) {
    for (int64_t i = 0; i < rows; i += kLeft)
      block<Parts>(a.data + i * a.line, b, steps_of(places), from.at(i, 0), c + i * stride, stride);
  }
};

#include "between.inc"
#include "mlp.inc"

}  // namespace

extern const Products products;
const Products products = products_of<Unit<3>, Unit<1>>(6, 2, 512, 256);

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
extern const Products products;
const Products products = {};
bool is_there() { return false; }
}  // namespace amx
}  // namespace fine_r1

#endif

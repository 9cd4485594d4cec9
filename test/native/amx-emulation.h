// AMX's instructions, and the one of AVX512-BF16 that packing uses, in plain C++: `native/kernels/amx.cc` with this before it runs on any
// processor with AVX-512. Sums are in the order of Intel's description of TDPBF16PS: even places and odd ones apart, then added.
#pragma once

#include <immintrin.h>

#include <cmath>
#include <cstdint>
#include <cstring>

namespace amx_emulation {

struct Tile {
  uint8_t rows[16][64];
};

inline Tile& tile(int i) {
  static thread_local Tile tiles[8];
  return tiles[i];
}

inline void load(int to, const void* from, long stride) {
  for (int i = 0; i < 16; i++) std::memcpy(tile(to).rows[i], static_cast<const char*>(from) + i * stride, 64);
}

inline void store(int from, void* to, long stride) {
  for (int i = 0; i < 16; i++) std::memcpy(static_cast<char*>(to) + i * stride, tile(from).rows[i], 64);
}

inline void zero(int i) { std::memset(&tile(i), 0, sizeof(Tile)); }

inline float widened(uint16_t bits) {
  const uint32_t wide = static_cast<uint32_t>(bits) << 16;
  float x;
  std::memcpy(&x, &wide, 4);
  return x;
}

inline uint16_t rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (std::isnan(x)) return static_cast<uint16_t>((bits >> 16) | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

/** Tile c += a b, of 16 by 32 and 32 by 16 bfloat16 numbers, two places in a lane. */
inline void multiply(int c, int a, int b) {
  for (int m = 0; m < 16; m++) {
    float even[16] = {}, odd[16] = {}, sums[16];
    for (int k = 0; k < 16; k++) {
      uint16_t left[2], right[32];
      std::memcpy(left, tile(a).rows[m] + 4 * k, 4);
      std::memcpy(right, tile(b).rows[k], 64);
      for (int n = 0; n < 16; n++) {
        even[n] += widened(left[0]) * widened(right[2 * n]);
        odd[n] += widened(left[1]) * widened(right[2 * n + 1]);
      }
    }
    std::memcpy(sums, tile(c).rows[m], 64);
    for (int n = 0; n < 16; n++) sums[n] += even[n] + odd[n];
    std::memcpy(tile(c).rows[m], sums, 64);
  }
}

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq")
inline __m512i rounded(__m512 upper, __m512 lower) {
  float x[32];
  uint16_t y[32];
  std::memcpy(x, &lower, 64);
  std::memcpy(x + 16, &upper, 64);
  for (int i = 0; i < 32; i++) y[i] = rounded(x[i]);
  __m512i result;
  std::memcpy(&result, y, 64);
  return result;
}
#pragma GCC pop_options

}  // namespace amx_emulation

#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#undef _tile_dpbf16ps
#define _tile_loadd(to, from, stride) amx_emulation::load(to, from, stride)
#define _tile_stored(from, to, stride) amx_emulation::store(from, to, stride)
#define _tile_zero(i) amx_emulation::zero(i)
#define _tile_dpbf16ps(c, a, b) amx_emulation::multiply(c, a, b)
#define _mm512_cvtne2ps_pbh(upper, lower) amx_emulation::rounded(upper, lower)

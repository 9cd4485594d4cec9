// The products of `amx.cc` against those of `avx512.cc`, number by number: a line for each case with how far they are apart, in the norm.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "kernels.h"

namespace fine_r1 {
namespace avx512 {
extern const Kernels table;
}
namespace amx {
extern const Products products;
}
}  // namespace fine_r1

using namespace fine_r1;
using Floats = std::vector<float>;

/** Numbers in [-1, 1). */
Floats draw(int64_t length, uint32_t seed) {
  Floats x(length);
  for (float& value : x) {
    seed = seed * 1664525u + 1013904223u;
    value = static_cast<float>(seed >> 8) / (1 << 23) - 1;
  }
  return x;
}

double far(const Floats& a, const Floats& b) {
  double apart = 0, norm = 0;
  for (size_t i = 0; i < a.size(); i++) {
    apart += (a[i] - b[i]) * double(a[i] - b[i]);
    norm += double(b[i]) * b[i];
  }
  return std::sqrt(apart / norm);
}

struct Both {
  bool rounds;
  const Products* sets[2] = {&amx::products, &avx512::table.products};
  int64_t number_bytes(int i) const { return rounds ? sets[i]->rounded_bytes : sets[i]->float_bytes; }
};

void mat_mul(const Both& both, int64_t m, int64_t n, int64_t k, bool left_transposed, bool right_transposed, bool with_bias, int64_t block, int64_t slices) {
  const Floats a = draw(m * k, 1), b = draw(k * n, 2), bias = draw(n, 3), start = draw(m * n, 8);
  // a sum may start where it is written
  const bool starts = slices == 1 && right_transposed, in_place = starts && left_transposed;
  Floats c[2];
  for (int i = 0; i < 2; i++) {
    if (in_place) c[i] = start;
    else c[i].assign(slices * m * n, -7);
    const MatMul o{Matrix{a.data(), left_transposed ? m : k, left_transposed, false}, Matrix{b.data(), right_transposed ? k : n, right_transposed, false}, with_bias ? bias.data() : nullptr,
                   in_place ? c[i].data() : starts ? start.data() : nullptr, c[i].data(), m, n, k, both.rounds, block, block, slices, (k + slices - 1) / slices};
    both.sets[i]->mat_mul(o, 0, o.jobs());
  }
  std::printf("mat_mul%s %ld x %ld x %ld%s%s%s%s, blocks of %ld, %ld slices: %.2e\n", both.rounds ? " rounded" : "", long(m), long(k), long(n), left_transposed ? ", left transposed" : "",
              right_transposed ? ", right transposed" : "", with_bias ? ", bias" : "", in_place ? ", start in place" : starts ? ", start" : "", long(block), long(slices), far(c[0], c[1]));
}

void mlp(const Both& both, int64_t rows, int64_t in, int64_t inner, int64_t out, bool with_bias, int64_t block) {
  const Floats x = draw(rows * in, 1), gate = draw(inner * in, 2), up = draw(inner * in, 3), down = draw(out * inner, 4), dy = draw(rows * out, 5), bias = draw(std::max(inner, out), 6), start = draw(rows * out, 7);
  Floats y[2], dx[2], sums[2];
  for (int i = 0; i < 2; i++) {
    const auto matrix = [](const Floats& data, int64_t stride) { return Matrix{data.data(), stride, false, false}; };
    const float* const given = with_bias ? bias.data() : nullptr;
    y[i].assign(rows * out, -7);
    dx[i].assign(rows * in, -7);
    SwiGluMlp o{rows, in, inner, out, x.data(), matrix(gate, in), matrix(up, in), matrix(down, inner), given, given, given, with_bias ? start.data() : nullptr, y[i].data(), both.rounds, nullptr, both.number_bytes(i), block, nullptr, nullptr};
    Floats all(mlp_sums(o));
    const SwiGluMlpGrad grad{dy.data(), dx[i].data(), all.data(), 1};
    o.grad = &grad;
    Floats packed(o.packed_bytes() / 4 + 64);
    o.packed = reinterpret_cast<char*>(packed.data()) + (64 - reinterpret_cast<uintptr_t>(packed.data()) % 64) % 64;
    o.grad = nullptr;
    both.sets[i]->pack_mlp(o, 0, o.chunks());
    both.sets[i]->swiglu_mlp(o, 0, (rows + block - 1) / block);
    o.grad = &grad;
    both.sets[i]->pack_mlp(o, 0, o.chunks());
    both.sets[i]->swiglu_mlp_grad(o, 0, 1);
    // of each sum, what is behind the last row or column is anything
    const auto part = [&](int64_t from, int64_t lines, int64_t columns, int64_t stride) {
      for (int64_t row = 0; row < lines; row++) sums[i].insert(sums[i].end(), all.begin() + from + row * stride, all.begin() + from + row * stride + columns);
    };
    const int64_t wide = to_panels(inner), area = wide * to_panels(in);
    part(0, inner, in, to_panels(in));
    part(area, inner, in, to_panels(in));
    part(2 * area, out, inner, wide);
    if (with_bias) part(2 * area + to_panels(out) * wide, 2, inner, wide);
  }
  std::printf("mlp%s %ld rows, %ld to %ld to %ld%s, blocks of %ld: %.2e, gradients %.2e and %.2e\n", both.rounds ? " rounded" : "", long(rows), long(in), long(inner), long(out), with_bias ? ", bias and start" : "", long(block),
              far(y[0], y[1]), far(dx[0], dx[1]), far(sums[0], sums[1]));
}

int main() {
  for (const bool rounds : {false, true}) {
    const Both both{rounds};
    for (const bool left : {false, true}) {
      for (const bool right : {false, true}) mat_mul(both, 70, 77, 45, left, right, left, 64, 1);
    }
    mat_mul(both, 128, 96, 300, false, true, true, 64, 1);
    mat_mul(both, 48, 32, 1000, true, false, false, 64, 3);
    mlp(both, 64, 64, 128, 64, false, 32);
    mlp(both, 75, 40, 150, 45, true, 64);
  }
}

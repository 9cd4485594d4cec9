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

void mlp(const Both& both, int64_t rows, int64_t in, int64_t inner, int64_t out, bool with_bias, int64_t block, int64_t slices, bool keeps) {
  const Floats x = draw(rows * in, 1), gate = draw(inner * in, 2), up = draw(inner * in, 3), down = draw(out * inner, 4), dy = draw(rows * out, 5), bias = draw(std::max(inner, out), 6), start = draw(rows * out, 7);
  Floats y[2], dx[2], sums[2];
  for (int i = 0; i < 2; i++) {
    const auto matrix = [](const Floats& data, int64_t stride) { return Matrix{data.data(), stride, false, false}; };
    const float* const given = with_bias ? bias.data() : nullptr;
    y[i].assign(rows * out, -7);
    dx[i].assign(rows * in, -7);
    SwiGluMlp o{rows, in, inner, out, x.data(), matrix(gate, in), matrix(up, in), matrix(down, inner), given, given, given, with_bias ? start.data() : nullptr, y[i].data(), both.rounds, nullptr, both.number_bytes(i), block, nullptr, nullptr};
    Floats all(slices * mlp_sums(o)), kept(keeps ? rows * mlp_kept(inner) : 0);
    // the gradients of gate, up, down and, last, of the biases, one after the other
    sums[i].assign(inner * (2 * in + out + (with_bias ? 2 : 0)), -7);
    float *const dgate = sums[i].data(), *const dup = dgate + inner * in, *const ddown = dup + inner * in, *const dbias = with_bias ? ddown + out * inner : nullptr;
    const SwiGluMlpGrad grad{dy.data(), dx[i].data(), all.data(), slices, dgate, dup, ddown, dbias, with_bias ? dbias + inner : nullptr};
    if (keeps) o.kept = kept.data();
    o.grad = &grad;
    Floats packed(o.packed_bytes() / 4 + 64);
    o.packed = reinterpret_cast<char*>(packed.data()) + (64 - reinterpret_cast<uintptr_t>(packed.data()) % 64) % 64;
    o.grad = nullptr;
    both.sets[i]->pack_mlp(o, 0, o.chunks());
    both.sets[i]->swiglu_mlp(o, 0, (rows + block - 1) / block);
    o.grad = &grad;
    both.sets[i]->pack_mlp(o, 0, o.chunks());
    both.sets[i]->swiglu_mlp_grad(o, 0, slices);
    both.sets[i]->add_mlp_slices(o, 0, to_panels(inner) / kMlpPanel);
  }
  std::printf("mlp%s %ld rows, %ld to %ld to %ld%s%s, blocks of %ld, %ld slices: %.2e, gradients %.2e and %.2e\n", both.rounds ? " rounded" : "", long(rows), long(in), long(inner), long(out), with_bias ? ", bias and start" : "", keeps ? ", kept" : "", long(block), long(slices),
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
    mlp(both, 64, 64, 128, 64, false, 32, 1, false);
    mlp(both, 75, 40, 150, 45, true, 64, 2, false);
    mlp(both, 75, 40, 150, 45, true, 32, 3, true);
  }
}

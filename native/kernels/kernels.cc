// The best instruction set that this processor has, at most the one that FINE_R1_KERNELS names.
#include "kernels.h"

#include <cstdlib>
#include <cstring>

namespace fine_r1 {
namespace avx512 {
extern const Kernels table;
}
namespace avx2 {
extern const Kernels table;
}
namespace generic {
extern const Kernels table;
}

namespace amx {
bool is_there();
extern const Products products;
}  // namespace amx

namespace {

/** The kernels for AVX512, and matrix products on AMX. */
const Kernels& with_matrix_unit() {
  static const Kernels table = [] {
    Kernels all = avx512::table;
    all.name = "amx";
    all.products = amx::products;
    return all;
  }();
  return table;
}

const Kernels& choose() {
  const char* most = std::getenv("FINE_R1_KERNELS");
  const auto allows = [&](const char* set) { return most == nullptr || *most == 0 || std::strcmp(most, set) == 0; };
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool asks_for_avx512 = allows("amx") || allows("avx512");
  if (has_avx512 && allows("amx") && amx::is_there()) return with_matrix_unit();
  if (has_avx512 && asks_for_avx512) return avx512::table;
  if (has_avx2 && (asks_for_avx512 || allows("avx2"))) return avx2::table;
  return generic::table;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace fine_r1

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

namespace {

const Kernels& choose() {
  const char* most = std::getenv("FINE_R1_KERNELS");
  const auto allows = [&](const char* set) { return most == nullptr || *most == 0 || std::strcmp(most, set) == 0; };
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx512 && allows("avx512")) return avx512::table;
  if (has_avx2 && (allows("avx2") || allows("avx512"))) return avx2::table;
  return generic::table;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace fine_r1

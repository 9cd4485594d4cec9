// Which instruction set this processor has.
#include "kernels.h"

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

const Kernels& kernels() {
  static const Kernels& chosen = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? avx512::table
                                 : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")                                             ? avx2::table
                                                                                                                                               : generic::table;
  return chosen;
}

}  // namespace fine_r1

// In place of native/kernels/avx512.cc where the processor has no AVX-512, which native/kernels/kernels.cc asks before it takes this.
#include "../../../native/kernels/kernels.h"

namespace fine_r1 {
namespace avx512 {
extern const Kernels table;
const Kernels table = {};
}  // namespace avx512
}  // namespace fine_r1

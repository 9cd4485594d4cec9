// In place of native/kernels/avx2.cc where the processor has no AVX2, which native/kernels/kernels.cc asks before it takes this.
#include "../../../native/kernels/kernels.h"

namespace fine_r1 {
namespace avx2 {
extern const Kernels table;
const Kernels table = {};
}  // namespace avx2
}  // namespace fine_r1

// In place of native/kernels/amx.cc where the processor has no AVX-512, without which there is no AMX.
#include "../../../native/kernels/kernels.h"

namespace fine_r1 {
namespace amx {
bool is_there();
extern const Products products;
bool is_there() { return false; }
const Products products = {};
}  // namespace amx
}  // namespace fine_r1

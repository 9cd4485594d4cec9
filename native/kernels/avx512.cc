// The kernels for processors with AVX512. Headers of the library come first: they must not be compiled for it.
#include "library.h"
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512")
#define FINE_R1_SET avx512
#define FINE_R1_WIDTH 16
#include "all.inc"

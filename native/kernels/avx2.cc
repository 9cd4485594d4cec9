// The kernels for processors with AVX2. Headers of the library come first: they must not be compiled for it.
#include "library.h"
#pragma GCC target("avx2,fma")
#define FINE_R1_SET avx2
#define FINE_R1_WIDTH 8
#include "all.inc"

// The kernels for every x86-64 processor. Headers of the library come first: they must not be compiled for another
// instruction set.
#include "library.h"
#define FINE_R1_SET generic
#define FINE_R1_WIDTH 4
#include "all.inc"

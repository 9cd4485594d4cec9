// Memory of results. One may be many megabytes, and a page that the system gives must be cleared first, a tenth of the
// whole time: what a result has given back is kept for the next ones.
#pragma once

#include <cstddef>

namespace fine_r1 {

/** Not cleared; null where there is none. Any thread. @param bytes at least 1 */
void* take_memory(size_t bytes);

/** @param bytes what it was taken for */
void give_back(void* data, size_t bytes);

}  // namespace fine_r1

#include "memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <map>
#include <mutex>

namespace fine_r1 {
namespace {

/** In pages of 2 MiB, where the system gives such, first writes take less. */
constexpr size_t kPage = size_t{2} << 20;
/** Bytes that are kept at most. */
constexpr size_t kMostKept = size_t{128} << 20;

size_t whole_pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }
bool is_large(size_t bytes) { return bytes >= 2 * kPage; }

std::mutex lock;
/** Blocks that are kept, by their size; and the sizes of those in use. */
std::multimap<size_t, void*> kept;
std::map<void*, size_t> used;
size_t kept_bytes = 0;

}  // namespace

void* take_memory(size_t bytes) {
  if (!is_large(bytes)) return std::malloc(bytes);
  const size_t size = whole_pages(bytes);
  const std::lock_guard<std::mutex> guard(lock);
  const auto found = kept.lower_bound(size);
  if (found != kept.end() && found->first <= 2 * size) {
    void* const data = found->second;
    kept_bytes -= found->first;
    used[data] = found->first;
    kept.erase(found);
    return data;
  }
  void* const data = std::aligned_alloc(kPage, size);
  if (data == nullptr) return nullptr;
  madvise(data, size, MADV_HUGEPAGE);
  used[data] = size;
  return data;
}

void give_back(void* data, size_t bytes) {
  if (data != nullptr && is_large(bytes)) {
    const std::lock_guard<std::mutex> guard(lock);
    const auto found = used.find(data);
    const size_t size = found->second;
    used.erase(found);
    if (kept_bytes + size <= kMostKept) {
      kept.emplace(size, data);
      kept_bytes += size;
      return;
    }
  }
  std::free(data);
}

}  // namespace fine_r1

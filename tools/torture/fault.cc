// A disk that fails, for tests: loaded before libc (LD_PRELOAD), it counts the bytes that go to files whose path holds
// FAULT_PATH. Beyond FAULT_BYTES of them it does FAULT_DO: `full` (a short write, then ENOSPC), `kill` (a short write,
// then SIGKILL), `kill-rename` (SIGKILL before such a file or folder is renamed), `kill-renamed` (after it), or
// `readonly` (nothing below can be made: EROFS). FAULT_FREE is what statfs says is free, in bytes.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>

namespace {
std::atomic<long long> written{0};

template <typename F>
F next(const char* name) {
  return reinterpret_cast<F>(dlsym(RTLD_NEXT, name));
}

bool does(const char* what) {
  const char* fault = getenv("FAULT_DO");
  return fault != nullptr && strcmp(fault, what) == 0;
}

bool matches(const char* path) {
  const char* wanted = getenv("FAULT_PATH");
  return wanted != nullptr && path != nullptr && strstr(path, wanted) != nullptr;
}

bool matches(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return false;
  path[length] = 0;
  return matches(path);
}

void die() { kill(getpid(), SIGKILL); }

// How many of `count` bytes may be written; -1 for all.
ssize_t allowed(int fd, size_t count) {
  if (!(does("full") || does("kill")) || !matches(fd)) return -1;
  const char* text = getenv("FAULT_BYTES");
  const long long limit = text ? atoll(text) : 0;
  const long long before = written.fetch_add(static_cast<long long>(count));
  if (before + static_cast<long long>(count) <= limit) return -1;
  return before >= limit ? 0 : static_cast<ssize_t>(limit - before);
}

template <typename Write>
ssize_t limited(int fd, size_t count, Write write) {
  const ssize_t part = allowed(fd, count);
  if (part < 0) return write(count);
  const ssize_t done = part > 0 ? write(static_cast<size_t>(part)) : 0;
  if (does("kill")) die();
  if (done > 0) return done;
  errno = ENOSPC;
  return -1;
}

bool refused(const char* path, int flags) {
  if (!does("readonly") || !matches(path) || (flags & (O_WRONLY | O_RDWR | O_CREAT)) == 0) return false;
  errno = EROFS;
  return true;
}
}  // namespace

extern "C" {
ssize_t write(int fd, const void* data, size_t count) {
  static auto real = next<ssize_t (*)(int, const void*, size_t)>("write");
  return limited(fd, count, [&](size_t n) { return real(fd, data, n); });
}

ssize_t pwrite64(int fd, const void* data, size_t count, off64_t offset) {
  static auto real = next<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return limited(fd, count, [&](size_t n) { return real(fd, data, n, offset); });
}

ssize_t pwrite(int fd, const void* data, size_t count, off_t offset) { return pwrite64(fd, data, count, offset); }

int open64(const char* path, int flags, ...) {
  static auto real = next<int (*)(const char*, int, mode_t)>("open64");
  va_list list;
  va_start(list, flags);
  const mode_t mode = static_cast<mode_t>(va_arg(list, int));
  va_end(list);
  return refused(path, flags) ? -1 : real(path, flags, mode);
}

int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = static_cast<mode_t>(va_arg(list, int));
  va_end(list);
  return open64(path, flags, mode);
}

int mkdir(const char* path, mode_t mode) {
  static auto real = next<int (*)(const char*, mode_t)>("mkdir");
  return refused(path, O_CREAT) ? -1 : real(path, mode);
}

int rename(const char* from, const char* to) {
  static auto real = next<int (*)(const char*, const char*)>("rename");
  if (does("kill-rename") && matches(to)) die();
  const int done = real(from, to);
  if (does("kill-renamed") && matches(to)) die();
  return done;
}

int statfs64(const char* path, struct statfs64* out) {
  static auto real = next<int (*)(const char*, struct statfs64*)>("statfs64");
  const int done = real(path, out);
  const char* free = getenv("FAULT_FREE");
  if (free != nullptr) out->f_bavail = static_cast<__fsword_t>(atoll(free)) / out->f_bsize;
  return done;
}

int statfs(const char* path, struct statfs* out) {
  return statfs64(path, reinterpret_cast<struct statfs64*>(out));
}
}

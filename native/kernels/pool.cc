#include "pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace fine_r1 {
namespace {

/** Nanoseconds of work that are worth sharing, and that a thread takes at a time. */
constexpr int64_t kLeastShared = 10'000, kLeastTaken = 5'000;
/** How long a thread waits awake: longer than most of what stands between two ops, and two steps, takes. */
constexpr std::chrono::microseconds kAwake{1500};

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

class Pool {
 public:
  explicit Pool(int threads) : shares_(threads) {
    for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
  }

  /** False where another op has the threads. */
  bool run(int64_t jobs, int64_t grain, const std::function<void(int64_t, int64_t)>& run) {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (!turn.owns_lock()) return false;
    run_ = &run;
    grain_ = grain;
    const int64_t threads = static_cast<int64_t>(shares_.size());
    for (int64_t i = 0; i < threads; i++) {
      shares_[i].end = jobs * (i + 1) / threads;
      shares_[i].next.store(jobs * i / threads);
    }
    open_.store(true);
    round_.fetch_add(1);
    if (asleep_.load() > 0) {
      const std::lock_guard<std::mutex> lock(sleep_);
      wake_.notify_all();
    }
    take(0);
    // a worker counts itself before it looks whether the round is open: it is counted here, or finds it closed
    open_.store(false);
    for (int spins = 0; inside_.load() > 0; spins++) {
      if (spins % 64 == 63)
        std::this_thread::yield();
      else
        pause();
    }
    return true;
  }

 private:
  /**
   * The jobs of a thread's own share, then what others have left of theirs. Ops share rows alike, so that a thread
   * finds in its cache what it wrote in the op before.
   */
  void take(int thread) {
    const int threads = static_cast<int>(shares_.size());
    for (int i = 0; i < threads; i++) {
      Share& share = shares_[(thread + i) % threads];
      for (int64_t begin; (begin = share.next.fetch_add(grain_)) < share.end;)
        (*run_)(begin, std::min(begin + grain_, share.end));
    }
  }

  void work(int thread) {
    uint64_t seen = 0;
    for (;;) {
      seen = next_round(seen);
      inside_.fetch_add(1);
      if (open_.load()) take(thread);
      inside_.fetch_sub(1);
    }
  }

  uint64_t next_round(uint64_t seen) {
    const auto until = std::chrono::steady_clock::now() + kAwake;
    for (int spins = 1;; spins++) {
      const uint64_t round = round_.load();
      if (round != seen) return round;
      if (spins % 64 != 0) {
        pause();
        continue;
      }
      std::this_thread::yield();
      if (std::chrono::steady_clock::now() > until) break;
    }
    std::unique_lock<std::mutex> lock(sleep_);
    asleep_.fetch_add(1);
    wake_.wait(lock, [&] { return round_.load() != seen; });
    asleep_.fetch_sub(1);
    return round_.load();
  }

  /** Held by the op whose jobs are shared. */
  std::mutex turn_;
  const std::function<void(int64_t, int64_t)>* run_ = nullptr;
  int64_t grain_ = 1;
  /** A thread's jobs, on a cache line of its own. */
  struct alignas(64) Share {
    std::atomic<int64_t> next{0};
    int64_t end = 0;
  };
  std::vector<Share> shares_;
  std::atomic<bool> open_{false};
  std::atomic<int> inside_{0};
  std::atomic<uint64_t> round_{0};

  std::mutex sleep_;
  std::condition_variable wake_;
  std::atomic<int> asleep_{0};
  std::vector<std::thread> workers_;
};

/** The process's pool, never destroyed: its threads live as long as the process. */
Pool& pool(int threads) {
  static Pool* const shared = new Pool(threads);
  return *shared;
}

}  // namespace

void share_jobs(int64_t jobs, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& run) {
  if (jobs <= 0) return;
  const int64_t per_job = std::max<int64_t>(1, cost);
  // a few turns for each thread, so that one that was held up leaves its share to the others
  const int64_t grain = std::max((jobs + threads * 4 - 1) / (threads * 4), kLeastTaken / per_job);
  if (threads <= 1 || jobs <= grain || jobs * per_job < kLeastShared || !pool(threads).run(jobs, grain, run))
    run(0, jobs);
}

}  // namespace fine_r1

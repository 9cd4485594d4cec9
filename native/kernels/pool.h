// Threads that share the jobs of one op. TensorFlow's own pool wakes a sleeping thread for each op, which takes as long
// as a small op itself; these wait for the next one awake for a while, as OpenMP's do.
#pragma once

#include <cstdint>
#include <functional>

namespace fine_r1 {

/**
 * Runs `run` on ranges that make up [0, jobs), on the calling thread and on up to `threads - 1` others; returns when
 * all have run. Where those are at work for another op, or the work is too little to share, all of it runs on the
 * calling thread.
 * @param cost of a job, in nanoseconds or so
 */
void share_jobs(int64_t jobs, int64_t cost, int threads, const std::function<void(int64_t, int64_t)>& run);

}  // namespace fine_r1

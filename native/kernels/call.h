// What the ops are written with. Each checks its inputs' shapes, allocates its results and shares the jobs among
// threads (pool.h).
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>

#include "kernels.h"
#include "pool.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fine_r1 {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;

/** An op that shares its jobs among threads itself: TensorFlow runs it where it stands, and does not hand it to a
 * thread of its own. */
class KernelOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  bool IsExpensive() override { return false; }
};

/** Each output has the shape of an input. */
template <int... Inputs>
absl::Status like(InferenceContext* c) {
  int output = 0;
  for (const int input : {Inputs...}) c->set_output(output++, c->input(input));
  return absl::OkStatus();
}

/** What an op sees of its inputs and outputs. The first thing that fails is what the op fails with. */
class Call {
 public:
  explicit Call(OpKernelContext* context) : context_(context) {}

  bool ok() const { return context_->status().ok(); }
  /** @param message made where it is needed alone */
  template <typename Message>
  void require(bool condition, const Message& message) {
    if (!condition && ok())
      context_->SetStatus(absl::InvalidArgumentError(context_->op_kernel().type_string() + ": " + message()));
  }
  const TensorShape& shape(int i) const { return context_->input(i).shape(); }
  int64_t size(int i) const { return context_->input(i).NumElements(); }
  int64_t dim(int i, int axis) const { return context_->input(i).dim_size(axis); }
  int64_t last(int i) const { return dim(i, context_->input(i).dims() - 1); }
  void same(std::initializer_list<int> inputs) {
    for (const int i : inputs)
      require(shape(i) == shape(*inputs.begin()), [&] {
        return "inputs " + std::to_string(*inputs.begin()) + " and " + std::to_string(i) + " are " +
               shape(*inputs.begin()).DebugString() + " and " + shape(i).DebugString();
      });
  }
  void rank(std::initializer_list<int> inputs, int rank) {
    for (const int i : inputs)
      require(shape(i).dims() == rank, [&] {
        return "input " + std::to_string(i) + " is " + shape(i).DebugString() + "; expected rank " +
               std::to_string(rank);
      });
  }
  const float* in(int i) const { return context_->input(i).flat<float>().data(); }
  const int32_t* ids(int i) const { return context_->input(i).flat<int32_t>().data(); }
  float scalar(int i) {
    require(size(i) == 1,
            [&] { return "input " + std::to_string(i) + " is " + shape(i).DebugString() + "; expected one number"; });
    return ok() ? in(i)[0] : 0;
  }

  float* out(int i, const TensorShape& shape) {
    Tensor* tensor = nullptr;
    if (ok()) context_->SetStatus(context_->allocate_output(i, shape, &tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  /** Output `i` in the memory of input `input` where nobody else needs that, which then is what was in it; otherwise of
   * its own. */
  float* out_over(int i, int input, const TensorShape& shape) {
    Tensor* tensor = nullptr;
    if (ok()) context_->SetStatus(context_->forward_input_or_allocate_output({input}, i, shape, &tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  float* out_over(int i, int input) { return out_over(i, input, shape(input)); }
  /** What a result of `length` numbers is added to: the op's last input, `input`, or null where there is none. */
  const float* start(int input, int64_t length) {
    if (context_->num_inputs() == input) return nullptr;
    require(context_->num_inputs() == input + 1 && size(input) == length, [&] {
      return "start is " + shape(input).DebugString() + "; expected " + std::to_string(length) + " numbers";
    });
    return ok() ? in(input) : nullptr;
  }
  float* scratch(Tensor* tensor, int64_t length) {
    if (ok()) context_->SetStatus(context_->allocate_temp(tensorflow::DT_FLOAT, TensorShape({length}), tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  int threads() const { return context_->device()->tensorflow_cpu_worker_threads()->num_threads; }
  /** @param cost of a job, in nanoseconds or so */
  void share(int64_t jobs, int64_t cost, const std::function<void(int64_t, int64_t)>& run) {
    if (ok()) share_jobs(jobs, cost, threads(), run);
  }
  /** The sum of slices of `rows` rows of `columns` numbers, one after the other. */
  void add_slices(const float* sums, int64_t slices, int64_t rows, int64_t columns, float* to) {
    const int64_t next = rows * columns;
    share(rows, columns * slices / 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin * columns; i < end * columns; i++) to[i] = sums[i] + (slices > 1 ? sums[next + i] : 0);
      for (int64_t slice = 2; slice < slices; slice++) {
        for (int64_t i = begin * columns; i < end * columns; i++) to[i] += sums[slice * next + i];
      }
    });
  }

 private:
  OpKernelContext* context_;
};

#define FINE_R1_OP(name) REGISTER_KERNEL_BUILDER(Name("FineR1" #name).Device(tensorflow::DEVICE_CPU), name##Op)

/** How many rows an input has: the product of all its sizes but the last. */
inline tensorflow::shape_inference::DimensionHandle rows_of(InferenceContext* c, int input) {
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < c->Rank(c->input(input)); axis++) {
    const int64_t size = c->Value(c->Dim(c->input(input), axis));
    if (size < 0) return c->UnknownDim();
    rows *= size;
  }
  return c->MakeDim(rows);
}

}  // namespace fine_r1

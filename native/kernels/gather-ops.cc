// Rows taken by index, and the gradient of that: rows added up by index.
#include <algorithm>
#include <cstring>

#include "call.h"

namespace fine_r1 {
namespace {

/** Indexes come from data: one outside [-1, rows) is an error, not a read elsewhere. */
void check_index(Call& call, int input, int64_t rows) {
  call.rank({input}, 1);
  if (!call.ok()) return;
  const int32_t *const index = call.ids(input), *const end = index + call.size(input);
  const int32_t* const wrong = std::find_if(index, end, [&](int32_t row) { return row < -1 || row >= rows; });
  call.require(wrong == end, [&] {
    return "index " + std::to_string(wrong - index) + " is " + std::to_string(*wrong) + ", of " + std::to_string(rows) +
           " rows";
  });
}

/** y[i] = x[index[i]]; where that is -1, base[i], or zeros without a base. */
REGISTER_OP("FineR1GatherRows")
    .Input("x: float")
    .Input("index: int32")
    .Input("base: float")
    .Output("y: float")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::ShapeHandle x, index;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &x));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 1, &index));
      c->set_output(0, c->MakeShape({c->Dim(index, 0), c->Dim(x, 1)}));
      return absl::OkStatus();
    });

class GatherRowsOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    check_index(call, 1, call.ok() ? call.dim(0, 0) : 0);
    if (!call.ok()) return;
    const int64_t count = call.size(1), size = call.dim(0, 1);
    call.require(call.size(2) == 0 || call.shape(2) == TensorShape({count, size}), [&] {
      return "base is " + call.shape(2).DebugString() + "; expected [" + std::to_string(count) + ", " +
             std::to_string(size) + "] or no number";
    });
    float* const y = call.out(0, TensorShape({count, size}));
    if (!call.ok()) return;
    const float *const x = call.in(0), *const base = call.size(2) > 0 ? call.in(2) : nullptr;
    const int32_t* const index = call.ids(1);
    call.share(count, size / 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const float* const from = index[i] >= 0 ? x + index[i] * size : base != nullptr ? base + i * size : nullptr;
        if (from != nullptr)
          std::memcpy(y + i * size, from, size * sizeof(float));
        else
          std::memset(y + i * size, 0, size * sizeof(float));
      }
    });
  }
};
FINE_R1_OP(GatherRows);

/** dx[r] = start[r] + the sum of dy[i] with index[i] = r, in their order. */
REGISTER_OP("FineR1ScatterRows")
    .Input("dy: float")
    .Input("index: int32")
    .Input("start: starts * float")
    .Attr("starts: int >= 0 = 0")
    .Attr("rows: int >= 0")
    .Output("dx: float")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::ShapeHandle dy;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &dy));
      int64_t rows;
      TF_RETURN_IF_ERROR(c->GetAttr("rows", &rows));
      c->set_output(0, c->MakeShape({c->MakeDim(rows), c->Dim(dy, 1)}));
      return absl::OkStatus();
    });

class ScatterRowsOp : public KernelOp {
 public:
  explicit ScatterRowsOp(OpKernelConstruction* c) : KernelOp(c) { OP_REQUIRES_OK(c, c->GetAttr("rows", &rows_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    check_index(call, 1, rows_);
    if (!call.ok()) return;
    const int64_t count = call.size(1), size = call.dim(0, 1);
    call.require(call.dim(0, 0) == count,
                 [&] { return "dy is " + call.shape(0).DebugString() + ", index " + call.shape(1).DebugString(); });
    const float* const start = call.start(2, rows_ * size);
    if (!call.ok()) return;
    float* const dx =
        start != nullptr ? call.out_over(0, 2, TensorShape({rows_, size})) : call.out(0, TensorShape({rows_, size}));
    if (!call.ok()) return;
    const float* const dy = call.in(0);
    const int32_t* const index = call.ids(1);
    // each thread looks through all indexes, and adds what falls on its rows
    call.share(rows_, size * (count / std::max<int64_t>(1, rows_) + 1) / 4, [&](int64_t begin, int64_t end) {
      if (start == nullptr)
        std::memset(dx + begin * size, 0, (end - begin) * size * sizeof(float));
      else if (start != dx)
        std::memcpy(dx + begin * size, start + begin * size, (end - begin) * size * sizeof(float));
      for (int64_t i = 0; i < count; i++) {
        if (index[i] < begin || index[i] >= end) continue;
        float* const row = dx + index[i] * size;
        kernels().add({row, dy + i * size, row}, 0, size);
      }
    });
  }

 private:
  int64_t rows_;
};
FINE_R1_OP(ScatterRows);

}  // namespace
}  // namespace fine_r1

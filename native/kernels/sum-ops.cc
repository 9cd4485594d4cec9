// Sums: of two tensors, over rows, and of squares.
#include <vector>

#include "call.h"

namespace fine_r1 {
namespace {

REGISTER_OP("FineR1Add").Input("a: float").Input("b: float").Output("y: float").SetShapeFn(like<0>);

class AddOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    if (!call.ok()) return;
    const Add o{call.in(0), call.in(1), call.out_over(0, 0)};
    call.share(call.size(0), 1, [&](int64_t a, int64_t b) { kernels().add(o, a, b); });
  }
};
FINE_R1_OP(Add);

REGISTER_OP("FineR1ColumnSums").Input("x: float").Output("sums: float").SetShapeFn([](InferenceContext* c) {
  tensorflow::shape_inference::ShapeHandle x;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &x));
  c->set_output(0, c->Vector(c->Dim(x, 1)));
  return absl::OkStatus();
});

class ColumnSumsOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    if (!call.ok()) return;
    const int64_t rows = call.dim(0, 0), size = call.dim(0, 1), blocks = (rows + kSumBlock - 1) / kSumBlock;
    float* const sums = call.out(0, TensorShape({size}));
    Tensor of_blocks;
    const ColumnSums o{call.in(0), call.scratch(&of_blocks, blocks * size), rows, size};
    if (!call.ok()) return;
    call.share(blocks, kSumBlock * size / 8, [&](int64_t a, int64_t b) { kernels().column_sums(o, a, b); });
    if (blocks == 0)
      std::fill(sums, sums + size, 0.0f);
    else
      call.add_slices(o.sums, blocks, 1, size, sums);
  }
};
FINE_R1_OP(ColumnSums);

/** Numbers whose squares are summed in float32; sums of such parts are added in float64, in their order. */
constexpr int64_t kSquares = 4096;

REGISTER_OP("FineR1SumOfSquares")
    .Input("tensors: N * float")
    .Attr("N: int >= 1")
    .Output("sum: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Scalar());
      return absl::OkStatus();
    });

class SumOfSquaresOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    std::vector<const float*> parts;
    std::vector<int64_t> lengths;
    for (int i = 0; i < c->num_inputs(); i++) {
      for (int64_t at = 0; at < call.size(i); at += kSquares) {
        parts.push_back(call.in(i) + at);
        lengths.push_back(std::min(kSquares, call.size(i) - at));
      }
    }
    std::vector<float> sums(parts.size());
    const SumsOfSquares o{parts.data(), lengths.data(), sums.data()};
    call.share(static_cast<int64_t>(parts.size()), kSquares / 8,
               [&](int64_t a, int64_t b) { kernels().sums_of_squares(o, a, b); });
    float* const sum = call.out(0, TensorShape({}));
    if (!call.ok()) return;
    double all = 0;
    for (const float part : sums) all += static_cast<double>(part);
    *sum = static_cast<float>(all);
  }
};
FINE_R1_OP(SumOfSquares);

}  // namespace
}  // namespace fine_r1

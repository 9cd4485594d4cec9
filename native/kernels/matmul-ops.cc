// The product of two matrices.
#include <numeric>

#include "call.h"

namespace fine_r1 {
namespace {

/** Products at least this long are cut into slices where their result is no larger than that: each thread then packs
 * rows of its own. */
constexpr int64_t kLong = 1024, kSmallResult = 1 << 16;
/** A slice is a multiple of what is packed at a time. */
constexpr int64_t kSliceUnit = 128;

/** Halves blocks until there is a job for each thread, and makes them so many, of about one size, that each thread has
 * as many. */
void choose_blocks(MatMul& o, int64_t threads) {
  const int64_t wanted = o.m * o.n <= kSmallResult && o.bias == nullptr && o.start == nullptr
                             ? std::max<int64_t>(1, std::min(threads, 2 * o.k / kLong))
                             : 1;
  o.slice_depth = wanted == 1 ? o.k : (o.k / wanted + kSliceUnit - 1) / kSliceUnit * kSliceUnit;
  o.slices = (o.k + o.slice_depth - 1) / o.slice_depth;
  o.block_m = std::min(kernels().products.most_lines, to_panels(o.m));
  o.block_n = std::min(kernels().products.most_lines, to_panels(o.n));
  while (o.jobs() < threads && std::max(o.block_m, o.block_n) > kMlpPanel) {
    int64_t& larger = o.block_m >= o.block_n ? o.block_m : o.block_n;
    larger = to_panels(larger / 2);
  }
  const int64_t others = o.blocks_n() * o.slices, step = threads / std::gcd(others, threads),
                blocks = (o.blocks_m() + step - 1) / step * step;
  o.block_m = to_panels((o.m + blocks - 1) / blocks);
}

REGISTER_OP("FineR1MatMul")
    .Input("a: Ta")
    .Input("b: Tb")
    .Input("bias: float")
    .Input("start: starts * float")
    .Attr("starts: int >= 0 = 0")
    .Attr("transpose_a: bool")
    .Attr("transpose_b: bool")
    .Attr("rounds: bool")
    .Attr("Ta: {float, bfloat16}")
    .Attr("Tb: {float, bfloat16}")
    .Output("product: float")
    .SetShapeFn([](InferenceContext* c) {
      bool transpose_a, transpose_b;
      TF_RETURN_IF_ERROR(c->GetAttr("transpose_a", &transpose_a));
      TF_RETURN_IF_ERROR(c->GetAttr("transpose_b", &transpose_b));
      tensorflow::shape_inference::ShapeHandle a, b;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &a));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(1), 2, &b));
      c->set_output(0, c->MakeShape({c->Dim(a, transpose_a ? 1 : 0), c->Dim(b, transpose_b ? 0 : 1)}));
      return absl::OkStatus();
    });

class MatMulOp : public KernelOp {
 public:
  explicit MatMulOp(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("transpose_a", &transpose_a_));
    OP_REQUIRES_OK(c, c->GetAttr("transpose_b", &transpose_b_));
    OP_REQUIRES_OK(c, c->GetAttr("rounds", &rounds_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0, 1}, 2);
    if (!call.ok()) return;
    const auto matrix = [&](int i, bool transposed) {
      return Matrix{c->input(i).data(), call.last(i), transposed, c->input(i).dtype() == tensorflow::DT_BFLOAT16};
    };
    MatMul o{matrix(0, transpose_a_),
             matrix(1, transpose_b_),
             nullptr,
             nullptr,
             nullptr,
             call.dim(0, transpose_a_ ? 1 : 0),
             call.dim(1, transpose_b_ ? 0 : 1),
             call.dim(0, transpose_a_ ? 0 : 1),
             rounds_,
             0,
             0,
             1,
             0};
    call.require(call.dim(1, transpose_b_ ? 1 : 0) == o.k, [&] {
      return "a " + call.shape(0).DebugString() + (transpose_a_ ? ", transposed," : "") + " against b " +
             call.shape(1).DebugString() + (transpose_b_ ? ", transposed" : "");
    });
    call.require(call.size(2) == 0 || call.shape(2) == TensorShape({o.n}), [&] {
      return "bias is " + call.shape(2).DebugString() + "; expected [" + std::to_string(o.n) + "] or no number";
    });
    o.start = call.start(3, o.m * o.n);
    if (!call.ok()) return;
    if (call.size(2) > 0) o.bias = call.in(2);
    float* const product =
        o.start != nullptr ? call.out_over(0, 3, TensorShape({o.m, o.n})) : call.out(0, TensorShape({o.m, o.n}));
    o.c = product;
    if (!call.ok() || o.m == 0 || o.n == 0) return;
    if (o.k == 0) {
      for (int64_t i = 0; i < o.m * o.n; i++)
        o.c[i] = (o.start == nullptr ? 0 : o.start[i]) + (o.bias == nullptr ? 0 : o.bias[i % o.n]);
      return;
    }
    choose_blocks(o, call.threads());
    Tensor slices;
    if (o.slices > 1) o.c = call.scratch(&slices, o.slices * o.m * o.n);
    call.share(o.jobs(), o.block_m * o.block_n * o.k / (rounds_ ? 500 : 200),
               [&](int64_t begin, int64_t end) { kernels().products.mat_mul(o, begin, end); });
    if (o.slices > 1) call.add_slices(o.c, o.slices, o.m, o.n, product);
  }

 private:
  bool transpose_a_, transpose_b_, rounds_;
};
FINE_R1_OP(MatMul);

}  // namespace
}  // namespace fine_r1

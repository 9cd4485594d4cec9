// The SwiGLU layer as one op each way.
#include "call.h"

namespace fine_r1 {
namespace {

#define FINE_R1_MLP_INPUTS       \
  Input("x: float")              \
      .Input("gate: T")          \
      .Input("up: T")            \
      .Input("down: T")          \
      .Input("gate_bias: float") \
      .Input("up_bias: float")   \
      .Input("down_bias: float") \
      .Attr("rounds: bool")      \
      .Attr("T: {float, bfloat16}")

/** Inputs from `first` on: x [rows, in], gate and up [inner, in], down [out, inner], and a bias of each, or no number.
 */
SwiGluMlp mlp_inputs(Call& call, OpKernelContext* c, int first, bool rounds) {
  const int x = first, gate = first + 1, down = first + 3;
  call.rank({x, gate, down}, 2);
  call.same({gate, first + 2});
  if (!call.ok()) return {};
  const auto matrix = [&](int i) {
    return Matrix{c->input(i).data(), call.last(i), false, c->input(i).dtype() == tensorflow::DT_BFLOAT16};
  };
  SwiGluMlp o{call.dim(x, 0),
              call.dim(x, 1),
              call.dim(gate, 0),
              call.dim(down, 0),
              call.in(x),
              matrix(gate),
              matrix(first + 2),
              matrix(down),
              nullptr,
              nullptr,
              nullptr,
              nullptr,
              nullptr,
              rounds,
              nullptr,
              rounds ? kernels().products.rounded_bytes : kernels().products.float_bytes,
              0,
              nullptr,
              nullptr};
  call.require(call.dim(gate, 1) == o.in && call.dim(down, 1) == o.inner, [&] {
    return "x " + call.shape(x).DebugString() + " against gate " + call.shape(gate).DebugString() + " and down " +
           call.shape(down).DebugString();
  });
  const auto bias = [&](int i, int64_t size) -> const float* {
    call.require(call.size(i) == 0 || call.shape(i) == TensorShape({size}), [&] {
      return "bias is " + call.shape(i).DebugString() + "; expected [" + std::to_string(size) + "] or no number";
    });
    return call.ok() && call.size(i) > 0 ? call.in(i) : nullptr;
  };
  o.gate_bias = bias(first + 4, o.inner);
  o.up_bias = bias(first + 5, o.inner);
  o.down_bias = bias(first + 6, o.out);
  call.require(o.rows > 0 && o.in > 0 && o.inner > 0 && o.out > 0,
               [&] { return "x is " + call.shape(x).DebugString() + "; expected at least one number"; });
  o.block = std::min(kernels().products.most_rows, to_panels((o.rows + call.threads() - 1) / call.threads()));
  return o;
}

/** Packs the weights into `memory`. */
void pack_weights(Call& call, SwiGluMlp& o, Tensor* memory) {
  o.packed = reinterpret_cast<char*>(call.scratch(memory, (o.packed_bytes() + 3) / 4));
  call.share(o.chunks(), 2 * kMlpChunk * o.in,
             [&](int64_t begin, int64_t end) { kernels().products.pack_mlp(o, begin, end); });
}

/** Nanoseconds or so of a row's products. */
int64_t row_cost(const SwiGluMlp& o) { return o.inner * (2 * o.in + o.out) / (o.rounds ? 500 : 200) + 1; }

REGISTER_OP("FineR1SwiGluMlp")
    .FINE_R1_MLP_INPUTS.Input("start: starts * float")
    .Attr("starts: int >= 0 = 0")
    .Attr("keeps: bool")
    .Output("y: float")
    .Output("kept: float")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::ShapeHandle x, down;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 2, &x));
      TF_RETURN_IF_ERROR(c->WithRank(c->input(3), 2, &down));
      c->set_output(0, c->MakeShape({c->Dim(x, 0), c->Dim(down, 0)}));
      bool keeps;
      TF_RETURN_IF_ERROR(c->GetAttr("keeps", &keeps));
      const int64_t inner = c->Value(c->Dim(down, 1));
      c->set_output(1, keeps ? c->MakeShape({c->Dim(x, 0), inner < 0 ? c->UnknownDim() : c->MakeDim(mlp_kept(inner))})
                             : c->MakeShape({c->MakeDim(0)}));
      return absl::OkStatus();
    });

class SwiGluMlpOp : public KernelOp {
 public:
  explicit SwiGluMlpOp(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("rounds", &rounds_));
    OP_REQUIRES_OK(c, c->GetAttr("keeps", &keeps_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    SwiGluMlp o = mlp_inputs(call, c, 0, rounds_);
    if (!call.ok()) return;
    Tensor packed;
    o.start = call.start(7, o.rows * o.out);
    if (!call.ok()) return;
    o.y = o.start != nullptr ? call.out_over(0, 7, TensorShape({o.rows, o.out}))
                             : call.out(0, TensorShape({o.rows, o.out}));
    float* const kept = call.out(1, keeps_ ? TensorShape({o.rows, mlp_kept(o.inner)}) : TensorShape({0}));
    o.kept = keeps_ ? kept : nullptr;
    pack_weights(call, o, &packed);
    call.share((o.rows + o.block - 1) / o.block, o.block * row_cost(o),
               [&](int64_t begin, int64_t end) { kernels().products.swiglu_mlp(o, begin, end); });
  }

 private:
  bool rounds_, keeps_;
};
FINE_R1_OP(SwiGluMlp);

REGISTER_OP("FineR1SwiGluMlpGrad")
    .Input("dy: float")
    .FINE_R1_MLP_INPUTS.Input("kept: float")
    .Output("dx: float")
    .Output("dgate: float")
    .Output("dup: float")
    .Output("ddown: float")
    .Output("dgate_bias: float")
    .Output("dup_bias: float")
    .SetShapeFn(like<1, 2, 3, 4, 5, 6>);

class SwiGluMlpGradOp : public KernelOp {
 public:
  explicit SwiGluMlpGradOp(OpKernelConstruction* c) : KernelOp(c) { OP_REQUIRES_OK(c, c->GetAttr("rounds", &rounds_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    SwiGluMlp o = mlp_inputs(call, c, 1, rounds_);
    if (!call.ok()) return;
    call.require(call.shape(0) == TensorShape({o.rows, o.out}), [&] { return "dy is " + call.shape(0).DebugString(); });
    Tensor packed, sums;
    const int64_t slices = std::min<int64_t>(call.threads(), (o.rows + o.block - 1) / o.block);
    const auto out = [&](int i) { return call.out(i, call.shape(i + 1)); };
    // x is read once where gate and up need not be computed again
    float* const dx = call.size(8) > 0 ? call.out_over(0, 1) : out(0);
    SwiGluMlpGrad grad{call.in(0), dx,    call.scratch(&sums, slices * mlp_sums(o)), slices, out(1), out(2), out(3),
                       out(4),     out(5)};
    if (o.gate_bias == nullptr) grad.dgate_bias = nullptr;
    if (o.up_bias == nullptr) grad.dup_bias = nullptr;
    o.grad = &grad;
    // only read
    if (call.size(8) > 0) o.kept = const_cast<float*>(call.in(8));
    call.require(o.kept == nullptr || call.shape(8) == TensorShape({o.rows, mlp_kept(o.inner)}),
                 [&] { return "kept is " + call.shape(8).DebugString(); });
    if (!call.ok()) return;
    pack_weights(call, o, &packed);
    call.share(slices, 3 * o.rows / slices * row_cost(o),
               [&](int64_t begin, int64_t end) { kernels().products.swiglu_mlp_grad(o, begin, end); });
    call.share(to_panels(o.inner) / kMlpPanel, kMlpPanel * (2 * o.in + o.out) * slices / 8,
               [&](int64_t begin, int64_t end) { kernels().products.add_mlp_slices(o, begin, end); });
  }

 private:
  bool rounds_;
};
FINE_R1_OP(SwiGluMlpGrad);

}  // namespace
}  // namespace fine_r1

// Ops on rows and on single numbers: RMSNorm, SwiGLU, GELU, rotary positions, log-probs, the draw of a token.
#include "call.h"

namespace fine_r1 {
namespace {

// ---- RMSNorm
// --------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1RmsNorm")
    .Input("x: float")
    .Input("w: float")
    .Attr("eps: float")
    .Output("y: float")
    .Output("scale: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      c->set_output(1, c->Vector(rows_of(c, 0)));
      return absl::OkStatus();
    });

class RmsNormOp : public KernelOp {
 public:
  explicit RmsNormOp(OpKernelConstruction* c) : KernelOp(c) { OP_REQUIRES_OK(c, c->GetAttr("eps", &eps_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.require(call.shape(0).dims() >= 1 && call.shape(1) == TensorShape({call.last(0)}),
                 [&] { return "x " + call.shape(0).DebugString() + " against w " + call.shape(1).DebugString(); });
    if (!call.ok()) return;
    const int64_t size = call.last(0), rows = size == 0 ? 0 : call.size(0) / size;
    const RmsNorm o{call.in(0), call.in(1), call.out(0, call.shape(0)), call.out(1, TensorShape({rows})), size, eps_};
    call.share(rows, size / 2, [&](int64_t a, int64_t b) { kernels().rms_norm(o, a, b); });
  }

 private:
  float eps_;
};
FINE_R1_OP(RmsNorm);

REGISTER_OP("FineR1RmsNormGrad")
    .Input("dy: float")
    .Input("x: float")
    .Input("w: float")
    .Input("scale: float")
    .Input("start: starts * float")
    .Attr("starts: int >= 0 = 0")
    .Output("dx: float")
    .Output("dw: float")
    .SetShapeFn(like<1, 2>);

class RmsNormGradOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    call.require(call.shape(1).dims() >= 1 && call.shape(2) == TensorShape({call.last(1)}),
                 [&] { return "x " + call.shape(1).DebugString() + " against w " + call.shape(2).DebugString(); });
    if (!call.ok()) return;
    const int64_t size = call.last(1), rows = size == 0 ? 0 : call.size(1) / size,
                  blocks = (rows + kSumBlock - 1) / kSumBlock;
    call.require(call.size(3) == rows,
                 [&] { return "scale is " + call.shape(3).DebugString() + "; expected one number a row"; });
    const float* const start = call.start(4, call.size(1));
    if (!call.ok()) return;
    Tensor parts;
    float* dw = call.out(1, call.shape(2));
    const RmsNormGrad o{call.in(0),
                        call.in(1),
                        call.in(2),
                        call.in(3),
                        start,
                        call.out_over(0, start != nullptr ? 4 : 0, call.shape(1)),
                        call.scratch(&parts, blocks * size),
                        rows,
                        size};
    call.share(blocks, kSumBlock * size, [&](int64_t a, int64_t b) { kernels().rms_norm_grad(o, a, b); });
    if (!call.ok()) return;
    std::fill(dw, dw + size, 0.0f);
    for (int64_t block = 0; block < blocks; block++) {
      for (int64_t i = 0; i < size; i++) dw[i] += o.dw[block * size + i];
    }
  }
};
FINE_R1_OP(RmsNormGrad);

// ---- SwiGLU
// ---------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1SwiGlu").Input("gate: float").Input("up: float").Output("y: float").SetShapeFn(like<0>);

class SwiGluOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    if (!call.ok()) return;
    const SwiGlu o{call.in(0), call.in(1), call.out(0, call.shape(0))};
    call.share(call.size(0), 2, [&](int64_t a, int64_t b) { kernels().swiglu(o, a, b); });
  }
};
FINE_R1_OP(SwiGlu);

REGISTER_OP("FineR1SwiGluGrad")
    .Input("dy: float")
    .Input("gate: float")
    .Input("up: float")
    .Output("dgate: float")
    .Output("dup: float")
    .SetShapeFn(like<1, 2>);

class SwiGluGradOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1, 2});
    if (!call.ok()) return;
    const SwiGluGrad o{call.in(0), call.in(1), call.in(2), call.out(0, call.shape(1)), call.out(1, call.shape(2))};
    call.share(call.size(0), 3, [&](int64_t a, int64_t b) { kernels().swiglu_grad(o, a, b); });
  }
};
FINE_R1_OP(SwiGluGrad);

// ---- GELU
// -----------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1Gelu").Input("x: float").Output("y: float").SetShapeFn(like<0>);

class GeluOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const Gelu o{call.in(0), call.out(0, call.shape(0))};
    call.share(call.size(0), 2, [&](int64_t a, int64_t b) { kernels().gelu(o, a, b); });
  }
};
FINE_R1_OP(Gelu);

REGISTER_OP("FineR1GeluGrad").Input("dy: float").Input("x: float").Output("dx: float").SetShapeFn(like<1>);

class GeluGradOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    if (!call.ok()) return;
    const GeluGrad o{call.in(0), call.in(1), call.out_over(0, 0)};
    call.share(call.size(0), 2, [&](int64_t a, int64_t b) { kernels().gelu_grad(o, a, b); });
  }
};
FINE_R1_OP(GeluGrad);

// ---- rotary positions
// -----------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1Rotary")
    .Input("x: float")
    .Input("cos: float")
    .Input("sin: float")
    .Attr("inverse: bool = false")
    .Output("y: float")
    .SetShapeFn(like<0>);

class RotaryOp : public KernelOp {
 public:
  explicit RotaryOp(OpKernelConstruction* c) : KernelOp(c) { OP_REQUIRES_OK(c, c->GetAttr("inverse", &inverse_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({1, 2});
    call.require(call.shape(0).dims() >= 2 && call.shape(1).dims() >= 1,
                 [&] { return "x is " + call.shape(0).DebugString() + "; expected [..., heads, size]"; });
    if (!call.ok()) return;
    const int64_t size = call.last(0), heads = call.dim(0, call.shape(0).dims() - 2), row = heads * size;
    const int64_t rows = row == 0 ? 0 : call.size(0) / row, tables = size == 0 ? 0 : call.size(1) / size;
    call.require(size % 2 == 0 && call.last(1) == size && tables > 0 && rows % tables == 0,
                 [&] { return "x " + call.shape(0).DebugString() + " against tables " + call.shape(1).DebugString(); });
    const Rotary o{call.in(0), call.in(1), call.in(2), call.out_over(0, 0), heads, size, tables, inverse_};
    call.share(rows, row, [&](int64_t a, int64_t b) { kernels().rotary(o, a, b); });
  }

 private:
  bool inverse_;
};
FINE_R1_OP(Rotary);

REGISTER_OP("FineR1Softmax")
    .Input("logits: float")
    .Input("temperature: float")
    .Output("probabilities: float")
    .SetShapeFn(like<0>);

class SoftmaxOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    const float temperature = call.scalar(1);
    if (!call.ok()) return;
    const Softmax o{call.in(0), call.out_over(0, 0), call.last(0), temperature};
    call.share(call.dim(0, 0), 2 * o.size, [&](int64_t a, int64_t b) { kernels().softmax(o, a, b); });
  }
};
FINE_R1_OP(Softmax);

REGISTER_OP("FineR1Choose")
    .Input("probabilities: float")
    .Input("uniform: float")
    .Input("banned: float")
    .Input("top_p: float")
    .Output("chosen: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->MakeShape({c->MakeDim(3), c->Dim(c->input(1), 0)}));
      return absl::OkStatus();
    });

class ChooseOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    call.rank({1}, 1);
    const float top_p = call.scalar(3);
    if (!call.ok()) return;
    const int64_t lines = call.dim(0, 0), rows = call.dim(1, 0), size = call.last(0);
    call.require(size > 0 && lines > 0 && rows % lines == 0 && call.shape(2) == TensorShape({size}), [&] {
      return "probabilities " + call.shape(0).DebugString() + " against uniform " + call.shape(1).DebugString() +
             " and banned " + call.shape(2).DebugString();
    });
    const Choose o{call.in(0),
                   call.in(1),
                   call.in(2),
                   call.out(0, TensorShape({3, rows})),
                   rows,
                   size,
                   lines == 0 ? 1 : rows / lines,
                   top_p};
    call.share(rows, size / 4, [&](int64_t a, int64_t b) { kernels().choose(o, a, b); });
  }
};
FINE_R1_OP(Choose);

// ---- loss
// --------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1TokenLogProbs")
    .Input("logits: float")
    .Input("targets: int32")
    .Attr("temperature: float")
    .Output("log_probs: float")
    .Output("log_sum: float")
    .SetShapeFn(like<1, 1>);

/** Targets come from data: one outside the vocabulary is an error, not a read behind the row. */
void check_targets(Call& call, int logits, int targets) {
  call.rank({logits}, 2);
  call.rank({targets}, 1);
  call.require(call.dim(logits, 0) == call.dim(targets, 0), [&] {
    return "logits " + call.shape(logits).DebugString() + " against targets " + call.shape(targets).DebugString();
  });
  if (!call.ok()) return;
  const int64_t size = call.last(logits);
  const int32_t *const ids = call.ids(targets), *const end = ids + call.size(targets);
  const int32_t* const wrong = std::find_if(ids, end, [&](int32_t target) { return target < 0 || target >= size; });
  call.require(wrong == end, [&] {
    return "target " + std::to_string(wrong - ids) + " is " + std::to_string(*wrong) + ", the vocabulary has " +
           std::to_string(size);
  });
}

class TokenLogProbsOp : public KernelOp {
 public:
  explicit TokenLogProbsOp(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("temperature", &temperature_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    check_targets(call, 0, 1);
    if (!call.ok()) return;
    const TokenLogProbs o{call.in(0),   call.ids(1), call.out(0, call.shape(1)), call.out(1, call.shape(1)),
                          call.last(0), temperature_};
    call.share(call.dim(0, 0), o.size, [&](int64_t a, int64_t b) { kernels().token_log_probs(o, a, b); });
  }

 private:
  float temperature_;
};
FINE_R1_OP(TokenLogProbs);

REGISTER_OP("FineR1TokenLogProbsGrad")
    .Input("dy: float")
    .Input("logits: float")
    .Input("targets: int32")
    .Input("log_sum: float")
    .Attr("temperature: float")
    .Output("dlogits: float")
    .SetShapeFn(like<1>);

class TokenLogProbsGradOp : public KernelOp {
 public:
  explicit TokenLogProbsGradOp(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("temperature", &temperature_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    check_targets(call, 1, 2);
    call.same({2, 0, 3});
    if (!call.ok()) return;
    const TokenLogProbsGrad o{call.in(0),          call.in(1),   call.in(3),  call.ids(2),
                              call.out_over(0, 1), call.last(1), temperature_};
    call.share(call.dim(1, 0), o.size, [&](int64_t a, int64_t b) { kernels().token_log_probs_grad(o, a, b); });
  }

 private:
  float temperature_;
};
FINE_R1_OP(TokenLogProbsGrad);

}  // namespace
}  // namespace fine_r1

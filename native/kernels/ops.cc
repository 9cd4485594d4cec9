// The fused ops as TensorFlow's own, for CPU: registered when this addon is loaded (lib/engine/kernels.ts). Each checks its inputs'
// shapes, allocates its results and shares the jobs among TensorFlow's threads. lib/engine/fused.ts is the only caller.
#include <node_api.h>

#include <algorithm>
#include <initializer_list>
#include <string>

#include "kernels.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace fine_r1 {
namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using tensorflow::shape_inference::InferenceContext;

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
  void require(bool condition, const std::string& message) {
    if (ok() && !condition) context_->SetStatus(absl::InvalidArgumentError(context_->op_kernel().type_string() + ": " + message));
  }
  const TensorShape& shape(int i) const { return context_->input(i).shape(); }
  int64_t size(int i) const { return context_->input(i).NumElements(); }
  int64_t dim(int i, int axis) const { return context_->input(i).dim_size(axis); }
  int64_t last(int i) const { return dim(i, context_->input(i).dims() - 1); }
  void same(std::initializer_list<int> inputs) {
    for (const int i : inputs) require(shape(i) == shape(*inputs.begin()), "inputs " + std::to_string(*inputs.begin()) + " and " + std::to_string(i) + " are " + shape(*inputs.begin()).DebugString() + " and " + shape(i).DebugString());
  }
  void rank(std::initializer_list<int> inputs, int rank) {
    for (const int i : inputs) require(shape(i).dims() == rank, "input " + std::to_string(i) + " is " + shape(i).DebugString() + "; expected rank " + std::to_string(rank));
  }
  const float* in(int i) const { return context_->input(i).flat<float>().data(); }
  const int32_t* ids(int i) const { return context_->input(i).flat<int32_t>().data(); }
  float scalar(int i) {
    require(size(i) == 1, "input " + std::to_string(i) + " is " + shape(i).DebugString() + "; expected one number");
    return ok() ? in(i)[0] : 0;
  }

  float* out(int i, const TensorShape& shape) {
    Tensor* tensor = nullptr;
    if (ok()) context_->SetStatus(context_->allocate_output(i, shape, &tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  /** Output `i` in the memory of input `input` where nobody else needs that, which then is what was in it; otherwise of its own. */
  float* out_over(int i, int input) {
    Tensor* tensor = nullptr;
    if (ok()) context_->SetStatus(context_->forward_input_or_allocate_output({input}, i, shape(input), &tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  float* scratch(Tensor* tensor, int64_t length) {
    if (ok()) context_->SetStatus(context_->allocate_temp(tensorflow::DT_FLOAT, TensorShape({length}), tensor));
    return ok() ? tensor->flat<float>().data() : nullptr;
  }
  /** @param cost of a job, in nanoseconds or so */
  template <typename Run>
  void share(int64_t jobs, int64_t cost, const Run& run) {
    if (ok() && jobs > 0) context_->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(jobs, std::max<int64_t>(1, cost), run);
  }

 private:
  OpKernelContext* context_;
};

#define FINE_R1_OP(name) REGISTER_KERNEL_BUILDER(Name("FineR1" #name).Device(tensorflow::DEVICE_CPU), name##Op)

/** How many rows an input has: the product of all its sizes but the last. */
tensorflow::shape_inference::DimensionHandle rows_of(InferenceContext* c, int input) {
  int64_t rows = 1;
  for (int axis = 0; axis + 1 < c->Rank(c->input(input)); axis++) {
    const int64_t size = c->Value(c->Dim(c->input(input), axis));
    if (size < 0) return c->UnknownDim();
    rows *= size;
  }
  return c->MakeDim(rows);
}

// ---- RMSNorm --------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1RmsNorm").Input("x: float").Input("w: float").Attr("eps: float").Output("y: float").Output("scale: float").SetShapeFn([](InferenceContext* c) {
  c->set_output(0, c->input(0));
  c->set_output(1, c->Vector(rows_of(c, 0)));
  return absl::OkStatus();
});

class RmsNormOp : public OpKernel {
 public:
  explicit RmsNormOp(OpKernelConstruction* c) : OpKernel(c) { OP_REQUIRES_OK(c, c->GetAttr("eps", &eps_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.require(call.shape(0).dims() >= 1 && call.shape(1) == TensorShape({call.last(0)}), "x " + call.shape(0).DebugString() + " against w " + call.shape(1).DebugString());
    if (!call.ok()) return;
    const int64_t size = call.last(0), rows = size == 0 ? 0 : call.size(0) / size;
    const RmsNorm o{call.in(0), call.in(1), call.out(0, call.shape(0)), call.out(1, TensorShape({rows})), size, eps_};
    call.share(rows, size / 2, [&](int64_t a, int64_t b) { kernels().rms_norm(o, a, b); });
  }

 private:
  float eps_;
};
FINE_R1_OP(RmsNorm);

REGISTER_OP("FineR1RmsNormGrad").Input("dy: float").Input("x: float").Input("w: float").Input("scale: float").Output("dx: float").Output("dw: float").SetShapeFn(like<1, 2>);

class RmsNormGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    call.require(call.shape(1).dims() >= 1 && call.shape(2) == TensorShape({call.last(1)}), "x " + call.shape(1).DebugString() + " against w " + call.shape(2).DebugString());
    if (!call.ok()) return;
    const int64_t size = call.last(1), rows = size == 0 ? 0 : call.size(1) / size, blocks = (rows + kNormBlock - 1) / kNormBlock;
    call.require(call.size(3) == rows, "scale is " + call.shape(3).DebugString() + "; expected one number a row");
    Tensor parts;
    float* dw = call.out(1, call.shape(2));
    const RmsNormGrad o{call.in(0), call.in(1), call.in(2), call.in(3), call.out_over(0, 0), call.scratch(&parts, blocks * size), rows, size};
    call.share(blocks, kNormBlock * size, [&](int64_t a, int64_t b) { kernels().rms_norm_grad(o, a, b); });
    if (!call.ok()) return;
    std::fill(dw, dw + size, 0.0f);
    for (int64_t block = 0; block < blocks; block++) {
      for (int64_t i = 0; i < size; i++) dw[i] += o.dw[block * size + i];
    }
  }
};
FINE_R1_OP(RmsNormGrad);

// ---- SwiGLU ---------------------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1SwiGlu").Input("gate: float").Input("up: float").Output("y: float").SetShapeFn(like<0>);

class SwiGluOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1});
    if (!call.ok()) return;
    const SwiGlu o{call.in(0), call.in(1), call.out(0, call.shape(0))};
    call.share(call.size(0), 2, [&](int64_t a, int64_t b) { kernels().swiglu(o, a, b); });
  }
};
FINE_R1_OP(SwiGlu);

REGISTER_OP("FineR1SwiGluGrad").Input("dy: float").Input("gate: float").Input("up: float").Output("dgate: float").Output("dup: float").SetShapeFn(like<1, 2>);

class SwiGluGradOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1, 2});
    if (!call.ok()) return;
    const SwiGluGrad o{call.in(0), call.in(1), call.in(2), call.out(0, call.shape(1)), call.out(1, call.shape(2))};
    call.share(call.size(0), 3, [&](int64_t a, int64_t b) { kernels().swiglu_grad(o, a, b); });
  }
};
FINE_R1_OP(SwiGluGrad);

// ---- rotary positions -----------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1Rotary").Input("x: float").Input("cos: float").Input("sin: float").Attr("inverse: bool = false").Output("y: float").SetShapeFn(like<0>);

class RotaryOp : public OpKernel {
 public:
  explicit RotaryOp(OpKernelConstruction* c) : OpKernel(c) { OP_REQUIRES_OK(c, c->GetAttr("inverse", &inverse_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({1, 2});
    call.require(call.shape(0).dims() >= 2 && call.shape(1).dims() >= 1, "x is " + call.shape(0).DebugString() + "; expected [..., heads, size]");
    if (!call.ok()) return;
    const int64_t size = call.last(0), heads = call.dim(0, call.shape(0).dims() - 2), row = heads * size;
    const int64_t rows = row == 0 ? 0 : call.size(0) / row, tables = size == 0 ? 0 : call.size(1) / size;
    call.require(size % 2 == 0 && call.last(1) == size && tables > 0 && rows % tables == 0, "x " + call.shape(0).DebugString() + " against tables " + call.shape(1).DebugString());
    const Rotary o{call.in(0), call.in(1), call.in(2), call.out(0, call.shape(0)), heads, size, tables, inverse_};
    call.share(rows, row, [&](int64_t a, int64_t b) { kernels().rotary(o, a, b); });
  }

 private:
  bool inverse_;
};
FINE_R1_OP(Rotary);

// ---- attention ------------------------------------------------------------------------------------------------------------------

/** Sizes of q, k, v and mask, checked. @param first place of q among the inputs; the mask comes after v, and may be empty */
AttentionShape attention_shape(Call& call, int first, int mask, bool by_head, bool causal) {
  const int q = first, k = first + 1;
  call.rank({q, k}, 4);
  call.same({k, first + 2});
  call.rank({mask}, 3);
  if (!call.ok()) return {};
  const int keys = by_head ? 2 : 1, kv_heads = by_head ? 1 : 2;
  AttentionShape s{call.dim(q, 0), call.dim(q, 2), call.dim(k, kv_heads), call.dim(q, 1), call.dim(k, keys), call.dim(q, 3), by_head, causal, nullptr, 0, 0};
  call.require(call.dim(k, 0) == s.batch && call.dim(k, 3) == s.size && s.kv_heads > 0 && s.heads % s.kv_heads == 0, "q " + call.shape(q).DebugString() + " against k " + call.shape(k).DebugString());
  if (!call.ok() || call.size(mask) == 0) return s;
  s.mask = call.in(mask);
  s.mask_batch = call.dim(mask, 0);
  s.mask_queries = call.dim(mask, 1);
  call.require((s.mask_batch == 1 || s.mask_batch == s.batch) && (s.mask_queries == 1 || s.mask_queries == s.queries) && call.dim(mask, 2) == s.keys,
               "mask " + call.shape(mask).DebugString() + " against q " + call.shape(q).DebugString() + " and k " + call.shape(k).DebugString());
  return s;
}

/** Queries of a job: enough that copying the keys is little beside them, and few enough that a batch of one has several jobs. */
constexpr int64_t kQueryBlock = 128;

REGISTER_OP("FineR1Attention").Input("q: float").Input("k: float").Input("v: float").Input("mask: float").Attr("by_head: bool").Attr("causal: bool").Output("out: float").Output("log_sum: float").SetShapeFn([](InferenceContext* c) {
  tensorflow::shape_inference::ShapeHandle q;
  TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &q));
  c->set_output(0, q);
  c->set_output(1, c->MakeShape({c->Dim(q, 0), c->Dim(q, 2), c->Dim(q, 1)}));
  return absl::OkStatus();
});

class AttentionOp : public OpKernel {
 public:
  explicit AttentionOp(OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("by_head", &by_head_));
    OP_REQUIRES_OK(c, c->GetAttr("causal", &causal_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const AttentionShape s = attention_shape(call, 0, 3, by_head_, causal_);
    if (!call.ok()) return;
    const Attention o{s, call.in(0), call.in(1), call.in(2), call.out(0, call.shape(0)), call.out(1, TensorShape({s.batch, s.heads, s.queries})), kQueryBlock};
    call.share(o.jobs(), std::min(o.block, s.queries) * s.keys * s.size * s.group() / 8, [&](int64_t a, int64_t b) { kernels().attention(o, a, b); });
  }

 private:
  bool by_head_, causal_;
};
FINE_R1_OP(Attention);

REGISTER_OP("FineR1AttentionGrad").Input("dout: float").Input("q: float").Input("k: float").Input("v: float").Input("mask: float").Input("out: float").Input("log_sum: float").Attr("by_head: bool").Attr("causal: bool").Output("dq: float").Output("dk: float").Output("dv: float").SetShapeFn(like<1, 2, 3>);

class AttentionGradOp : public OpKernel {
 public:
  explicit AttentionGradOp(OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("by_head", &by_head_));
    OP_REQUIRES_OK(c, c->GetAttr("causal", &causal_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const AttentionShape s = attention_shape(call, 1, 4, by_head_, causal_);
    call.same({0, 1, 5});
    call.require(call.size(6) == s.batch * s.heads * s.queries, "log_sum is " + call.shape(6).DebugString());
    if (!call.ok()) return;
    const AttentionGrad o{s, call.in(0), call.in(1), call.in(2), call.in(3), call.in(5), call.in(6), call.out(0, call.shape(1)), call.out(1, call.shape(2)), call.out(2, call.shape(3))};
    call.share(o.jobs(), s.queries * s.keys * s.size * s.group() / 3, [&](int64_t a, int64_t b) { kernels().attention_grad(o, a, b); });
  }

 private:
  bool by_head_, causal_;
};
FINE_R1_OP(AttentionGrad);

// ---- decoding -------------------------------------------------------------------------------------------------------------------

// Writes the new key and value into the chunk it is given and hands that on: the caller gives the chunk up.
REGISTER_OP("FineR1DecodeAttention").Input("q: float").Input("k: float").Input("v: float").Input("prompt_k: float").Input("prompt_v: float").Input("mask: float").Input("past_k: float").Input("past_v: float").Input("chunk_k: float").Input("chunk_v: float").Input("slot: int32").Output("out: float").Output("keys: float").Output("values: float").SetIsStateful().SetShapeFn(like<0, 8, 9>);

class DecodeAttentionOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0, 1, 2}, 3);
    call.rank({3, 4, 6, 7, 8, 9}, 4);
    call.rank({5}, 2);
    call.same({1, 2});
    call.same({3, 4});
    call.same({6, 7});
    call.same({8, 9});
    if (!call.ok()) return;
    DecodeAttention o{call.dim(0, 0), call.dim(3, 0), call.dim(0, 1), call.dim(1, 1), call.dim(0, 2), call.dim(3, 2), call.dim(6, 2), call.dim(8, 2), 0, call.in(0), call.in(1), call.in(2), call.in(3), call.in(4), call.in(5), call.in(6), call.in(7), nullptr, nullptr, nullptr};
    const auto fits = [&](int i, int64_t first, int64_t keys) { call.require(call.shape(i) == TensorShape({first, o.kv_heads, keys, o.size}), "input " + std::to_string(i) + " is " + call.shape(i).DebugString()); };
    call.require(call.shape(1) == TensorShape({o.rows, o.kv_heads, o.size}) && o.kv_heads > 0 && o.heads % o.kv_heads == 0, "q " + call.shape(0).DebugString() + " against k " + call.shape(1).DebugString());
    fits(3, o.prompts, o.prompt_keys);
    fits(6, o.rows, o.past_keys);
    fits(8, o.rows, o.chunk_keys);
    call.require(o.prompts > 0 && o.rows % o.prompts == 0 && call.shape(5) == TensorShape({o.prompts, o.prompt_keys}), "mask is " + call.shape(5).DebugString());
    call.require(call.size(10) == 1, "slot is " + call.shape(10).DebugString());
    if (!call.ok()) return;
    o.slot = call.ids(10)[0];
    call.require(o.slot >= 0 && o.slot < o.chunk_keys, "slot " + std::to_string(o.slot) + " of " + std::to_string(o.chunk_keys));
    o.out = call.out(0, call.shape(0));
    if (!call.ok()) return;
    o.chunk_k = const_cast<float*>(call.in(8));
    o.chunk_v = const_cast<float*>(call.in(9));
    call.share(o.jobs(), (o.prompt_keys + o.past_keys + o.slot + 1) * o.size * o.heads / o.kv_heads / 4, [&](int64_t a, int64_t b) { kernels().decode_attention(o, a, b); });
    c->set_output(1, c->input(8));
    c->set_output(2, c->input(9));
  }
};
FINE_R1_OP(DecodeAttention);

REGISTER_OP("FineR1Softmax").Input("logits: float").Input("temperature: float").Output("probabilities: float").SetShapeFn(like<0>);

class SoftmaxOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
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

REGISTER_OP("FineR1Choose").Input("probabilities: float").Input("uniform: float").Input("banned: float").Input("top_p: float").Output("chosen: float").SetShapeFn([](InferenceContext* c) {
  c->set_output(0, c->MakeShape({c->MakeDim(3), c->Dim(c->input(1), 0)}));
  return absl::OkStatus();
});

class ChooseOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.rank({0}, 2);
    call.rank({1}, 1);
    const float top_p = call.scalar(3);
    if (!call.ok()) return;
    const int64_t lines = call.dim(0, 0), rows = call.dim(1, 0), size = call.last(0);
    call.require(size > 0 && lines > 0 && rows % lines == 0 && call.shape(2) == TensorShape({size}), "probabilities " + call.shape(0).DebugString() + " against uniform " + call.shape(1).DebugString() + " and banned " + call.shape(2).DebugString());
    const Choose o{call.in(0), call.in(1), call.in(2), call.out(0, TensorShape({3, rows})), rows, size, lines == 0 ? 1 : rows / lines, top_p};
    call.share(rows, size / 4, [&](int64_t a, int64_t b) { kernels().choose(o, a, b); });
  }
};
FINE_R1_OP(Choose);

// ---- loss and optimizer ---------------------------------------------------------------------------------------------------------

REGISTER_OP("FineR1TokenLogProbs").Input("logits: float").Input("targets: int32").Attr("temperature: float").Output("log_probs: float").Output("log_sum: float").SetShapeFn(like<1, 1>);

/** Targets come from data: one outside the vocabulary is an error, not a read behind the row. */
void check_targets(Call& call, int logits, int targets) {
  call.rank({logits}, 2);
  call.rank({targets}, 1);
  call.require(call.dim(logits, 0) == call.dim(targets, 0), "logits " + call.shape(logits).DebugString() + " against targets " + call.shape(targets).DebugString());
  if (!call.ok()) return;
  for (int64_t i = 0; i < call.size(targets); i++) {
    const int32_t target = call.ids(targets)[i];
    call.require(target >= 0 && target < call.last(logits), "target " + std::to_string(i) + " is " + std::to_string(target) + ", the vocabulary has " + std::to_string(call.last(logits)));
    if (!call.ok()) return;
  }
}

class TokenLogProbsOp : public OpKernel {
 public:
  explicit TokenLogProbsOp(OpKernelConstruction* c) : OpKernel(c) { OP_REQUIRES_OK(c, c->GetAttr("temperature", &temperature_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    check_targets(call, 0, 1);
    if (!call.ok()) return;
    const TokenLogProbs o{call.in(0), call.ids(1), call.out(0, call.shape(1)), call.out(1, call.shape(1)), call.last(0), temperature_};
    call.share(call.dim(0, 0), o.size, [&](int64_t a, int64_t b) { kernels().token_log_probs(o, a, b); });
  }

 private:
  float temperature_;
};
FINE_R1_OP(TokenLogProbs);

REGISTER_OP("FineR1TokenLogProbsGrad").Input("dy: float").Input("logits: float").Input("targets: int32").Input("log_sum: float").Attr("temperature: float").Output("dlogits: float").SetShapeFn(like<1>);

class TokenLogProbsGradOp : public OpKernel {
 public:
  explicit TokenLogProbsGradOp(OpKernelConstruction* c) : OpKernel(c) { OP_REQUIRES_OK(c, c->GetAttr("temperature", &temperature_)); }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    check_targets(call, 1, 2);
    call.same({2, 0, 3});
    if (!call.ok()) return;
    const TokenLogProbsGrad o{call.in(0), call.in(1), call.in(3), call.ids(2), call.out_over(0, 1), call.last(1), temperature_};
    call.share(call.dim(1, 0), o.size, [&](int64_t a, int64_t b) { kernels().token_log_probs_grad(o, a, b); });
  }

 private:
  float temperature_;
};
FINE_R1_OP(TokenLogProbsGrad);

// `coefficients`: factor on the gradient, learning rate over the first moment's correction, root of the second one's, factor on p,
// and whether to step at all.
REGISTER_OP("FineR1AdamW").Input("p: float").Input("m: float").Input("v: float").Input("g: float").Input("coefficients: float").Attr("beta1: float").Attr("beta2: float").Attr("rest1: float").Attr("rest2: float").Attr("epsilon: float").Output("new_p: float").Output("new_m: float").Output("new_v: float").SetShapeFn(like<0, 1, 2>);

class AdamWOp : public OpKernel {
 public:
  explicit AdamWOp(OpKernelConstruction* c) : OpKernel(c) {
    OP_REQUIRES_OK(c, c->GetAttr("beta1", &beta1_));
    OP_REQUIRES_OK(c, c->GetAttr("beta2", &beta2_));
    OP_REQUIRES_OK(c, c->GetAttr("rest1", &rest1_));
    OP_REQUIRES_OK(c, c->GetAttr("rest2", &rest2_));
    OP_REQUIRES_OK(c, c->GetAttr("epsilon", &epsilon_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    call.same({0, 1, 2, 3});
    call.require(call.size(4) == 5, "coefficients are " + call.shape(4).DebugString() + "; expected five");
    if (!call.ok()) return;
    const float* with = call.in(4);
    if (with[4] == 0) {
      for (int i = 0; i < 3; i++) c->set_output(i, c->input(i));
      return;
    }
    const AdamW o{call.in(0), call.in(1), call.in(2), call.in(3), call.out_over(0, 0), call.out_over(1, 1), call.out_over(2, 2), beta1_, beta2_, rest1_, rest2_, epsilon_, with[0], with[1], with[2], with[3]};
    call.share(call.size(0), 2, [&](int64_t a, int64_t b) { kernels().adamw(o, a, b); });
  }

 private:
  float beta1_, beta2_, rest1_, rest2_, epsilon_;
};
FINE_R1_OP(AdamW);

}  // namespace
}  // namespace fine_r1

/** Loading it has registered the ops; what JavaScript gets is the name of the instruction set. */
NAPI_MODULE_INIT() {
  napi_value name;
  if (napi_create_string_utf8(env, fine_r1::kernels().name, NAPI_AUTO_LENGTH, &name) != napi_ok) return nullptr;
  if (napi_set_named_property(env, exports, "instructionSet", name) != napi_ok) return nullptr;
  return exports;
}

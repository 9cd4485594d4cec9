// Attention, its gradient, and attention of a decoding step.
#include "call.h"

namespace fine_r1 {
namespace {

// ---- attention
// ------------------------------------------------------------------------------------------------------------------

/** Sizes of q, k, v, mask, cosines and sines, checked. @param q its place among the inputs; the last three may be empty
 */
AttentionShape attention_shape(Call& call, int q, bool by_head, bool causal) {
  const int k = q + 1, mask = q + 3, cos = q + 4;
  call.rank({q, k}, 4);
  call.same({k, q + 2});
  call.same({cos, cos + 1});
  call.rank({mask}, 3);
  if (!call.ok()) return {};
  const int keys = by_head ? 2 : 1, kv_heads = by_head ? 1 : 2;
  AttentionShape s{call.dim(q, 0),
                   call.dim(q, 2),
                   call.dim(k, kv_heads),
                   call.dim(q, 1),
                   call.dim(k, keys),
                   call.dim(q, 3),
                   by_head,
                   causal,
                   nullptr,
                   0,
                   0,
                   nullptr,
                   nullptr,
                   0};
  call.require(call.dim(k, 0) == s.batch && call.dim(k, 3) == s.size && s.kv_heads > 0 && s.heads % s.kv_heads == 0,
               [&] { return "q " + call.shape(q).DebugString() + " against k " + call.shape(k).DebugString(); });
  if (call.ok() && call.size(cos) > 0) {
    s.cos = call.in(cos);
    s.sin = call.in(cos + 1);
    s.tables = s.size == 0 ? 0 : call.size(cos) / s.size;
    call.require(!by_head && s.queries == s.keys && s.size % 2 == 0 && call.last(cos) == s.size &&
                     (s.batch * s.queries) % s.tables == 0,
                 [&] {
                   return "tables " + call.shape(cos).DebugString() + " against q " + call.shape(q).DebugString() +
                          " and k " + call.shape(k).DebugString();
                 });
  }
  if (!call.ok() || call.size(mask) == 0) return s;
  s.mask = call.in(mask);
  s.mask_batch = call.dim(mask, 0);
  s.mask_queries = call.dim(mask, 1);
  call.require((s.mask_batch == 1 || s.mask_batch == s.batch) && (s.mask_queries == 1 || s.mask_queries == s.queries) &&
                   call.dim(mask, 2) == s.keys,
               [&] {
                 return "mask " + call.shape(mask).DebugString() + " against q " + call.shape(q).DebugString() +
                        " and k " + call.shape(k).DebugString();
               });
  return s;
}

/** What attention and its gradient are told of their inputs. */
class WithLayout : public KernelOp {
 public:
  explicit WithLayout(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("by_head", &by_head_));
    OP_REQUIRES_OK(c, c->GetAttr("causal", &causal_));
  }

 protected:
  bool by_head_, causal_;
};

/** Queries of a job: enough that copying the keys is little beside them, and few enough that a batch of one has several
 * jobs. */
constexpr int64_t kQueryBlock = 128;

REGISTER_OP("FineR1Attention")
    .Input("q: float")
    .Input("k: float")
    .Input("v: float")
    .Input("mask: float")
    .Input("cos: float")
    .Input("sin: float")
    .Attr("by_head: bool")
    .Attr("causal: bool")
    .Output("out: float")
    .Output("log_sum: float")
    .SetShapeFn([](InferenceContext* c) {
      tensorflow::shape_inference::ShapeHandle q;
      TF_RETURN_IF_ERROR(c->WithRank(c->input(0), 4, &q));
      c->set_output(0, q);
      c->set_output(1, c->MakeShape({c->Dim(q, 0), c->Dim(q, 2), c->Dim(q, 1)}));
      return absl::OkStatus();
    });

class AttentionOp : public WithLayout {
 public:
  using WithLayout::WithLayout;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const AttentionShape s = attention_shape(call, 0, by_head_, causal_);
    if (!call.ok()) return;
    const Attention o{s,
                      call.in(0),
                      call.in(1),
                      call.in(2),
                      call.out(0, call.shape(0)),
                      call.out(1, TensorShape({s.batch, s.heads, s.queries})),
                      kQueryBlock};
    call.share(o.jobs(), std::min(o.block, s.queries) * s.keys * s.size * s.group() / 8,
               [&](int64_t a, int64_t b) { kernels().attention(o, a, b); });
  }
};
FINE_R1_OP(Attention);

REGISTER_OP("FineR1AttentionGrad")
    .Input("dout: float")
    .Input("q: float")
    .Input("k: float")
    .Input("v: float")
    .Input("mask: float")
    .Input("cos: float")
    .Input("sin: float")
    .Input("log_sum: float")
    .Attr("by_head: bool")
    .Attr("causal: bool")
    .Output("dq: float")
    .Output("dk: float")
    .Output("dv: float")
    .SetShapeFn(like<1, 2, 3>);

class AttentionGradOp : public WithLayout {
 public:
  using WithLayout::WithLayout;
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const AttentionShape s = attention_shape(call, 1, by_head_, causal_);
    call.same({0, 1});
    call.require(call.size(7) == s.batch * s.heads * s.queries,
                 [&] { return "log_sum is " + call.shape(7).DebugString(); });
    if (!call.ok()) return;
    const AttentionGrad o{s,          call.in(0),          call.in(1),          call.in(2),         call.in(3),
                          call.in(7), call.out_over(0, 1), call.out_over(1, 2), call.out_over(2, 3)};
    call.share(o.jobs(), s.queries * s.keys * s.size * s.group() / 3,
               [&](int64_t a, int64_t b) { kernels().attention_grad(o, a, b); });
  }
};
FINE_R1_OP(AttentionGrad);

// ---- decoding
// -------------------------------------------------------------------------------------------------------------------

// Writes the new key and value into the chunk it is given and hands that on: the caller gives the chunk up.
REGISTER_OP("FineR1DecodeAttention")
    .Input("q: float")
    .Input("k: float")
    .Input("v: float")
    .Input("prompt_k: float")
    .Input("prompt_v: float")
    .Input("mask: float")
    .Input("past_k: float")
    .Input("past_v: float")
    .Input("chunk_k: float")
    .Input("chunk_v: float")
    .Input("slot: int32")
    .Output("out: float")
    .Output("keys: float")
    .Output("values: float")
    .SetIsStateful()
    .SetShapeFn(like<0, 8, 9>);

class DecodeAttentionOp : public KernelOp {
 public:
  using KernelOp::KernelOp;
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
    DecodeAttention o{call.dim(0, 0), call.dim(3, 0), call.dim(0, 1),
                      call.dim(1, 1), call.dim(0, 2), call.dim(3, 2),
                      call.dim(6, 2), call.dim(8, 2), 0,
                      call.in(0),     call.in(1),     call.in(2),
                      call.in(3),     call.in(4),     call.in(5),
                      call.in(6),     call.in(7),     nullptr,
                      nullptr,        nullptr};
    const auto fits = [&](int i, int64_t first, int64_t keys) {
      call.require(call.shape(i) == TensorShape({first, o.kv_heads, keys, o.size}),
                   [&] { return "input " + std::to_string(i) + " is " + call.shape(i).DebugString(); });
    };
    call.require(
        call.shape(1) == TensorShape({o.rows, o.kv_heads, o.size}) && o.kv_heads > 0 && o.heads % o.kv_heads == 0,
        [&] { return "q " + call.shape(0).DebugString() + " against k " + call.shape(1).DebugString(); });
    fits(3, o.prompts, o.prompt_keys);
    fits(6, o.rows, o.past_keys);
    fits(8, o.rows, o.chunk_keys);
    call.require(o.prompts > 0 && o.rows % o.prompts == 0 && call.shape(5) == TensorShape({o.prompts, o.prompt_keys}),
                 [&] { return "mask is " + call.shape(5).DebugString(); });
    call.require(call.size(10) == 1, [&] { return "slot is " + call.shape(10).DebugString(); });
    if (!call.ok()) return;
    o.slot = call.ids(10)[0];
    call.require(o.slot >= 0 && o.slot < o.chunk_keys,
                 [&] { return "slot " + std::to_string(o.slot) + " of " + std::to_string(o.chunk_keys); });
    o.out = call.out(0, call.shape(0));
    if (!call.ok()) return;
    o.chunk_k = const_cast<float*>(call.in(8));
    o.chunk_v = const_cast<float*>(call.in(9));
    call.share(o.jobs(), (o.prompt_keys + o.past_keys + o.slot + 1) * o.size * o.heads / o.kv_heads / 4,
               [&](int64_t a, int64_t b) { kernels().decode_attention(o, a, b); });
    c->set_output(1, c->input(8));
    c->set_output(2, c->input(9));
  }
};
FINE_R1_OP(DecodeAttention);

}  // namespace
}  // namespace fine_r1

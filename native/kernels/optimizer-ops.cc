// The optimizer's step for many tensors at once.
#include <algorithm>
#include <vector>

#include "call.h"

namespace fine_r1 {
namespace {

/** Numbers of a job: small tensors are one, large ones are shared. */
constexpr int64_t kPart = 1 << 14;

// `coefficients`: factor on the gradient, learning rate over the first moment's correction, root of the second one's,
// factor on p, and whether to step at all.
REGISTER_OP("FineR1AdamW")
    .Input("p: N * float")
    .Input("m: N * float")
    .Input("v: N * float")
    .Input("g: N * float")
    .Input("coefficients: float")
    .Attr("N: int >= 1")
    .Attr("beta1: float")
    .Attr("beta2: float")
    .Attr("rest1: float")
    .Attr("rest2: float")
    .Attr("epsilon: float")
    .Output("new_p: N * float")
    .Output("new_m: N * float")
    .Output("new_v: N * float")
    .SetShapeFn([](InferenceContext* c) {
      for (int i = 0; i < c->num_outputs(); i++) c->set_output(i, c->input(i));
      return absl::OkStatus();
    });

class AdamWOp : public KernelOp {
 public:
  explicit AdamWOp(OpKernelConstruction* c) : KernelOp(c) {
    OP_REQUIRES_OK(c, c->GetAttr("beta1", &beta1_));
    OP_REQUIRES_OK(c, c->GetAttr("beta2", &beta2_));
    OP_REQUIRES_OK(c, c->GetAttr("rest1", &rest1_));
    OP_REQUIRES_OK(c, c->GetAttr("rest2", &rest2_));
    OP_REQUIRES_OK(c, c->GetAttr("epsilon", &epsilon_));
  }
  void Compute(OpKernelContext* c) override {
    Call call(c);
    const int count = c->num_outputs() / 3, last = c->num_inputs() - 1;
    call.require(call.size(last) == 5,
                 [&] { return "coefficients are " + call.shape(last).DebugString() + "; expected five"; });
    for (int i = 0; i < count; i++) call.same({i, count + i, 2 * count + i, 3 * count + i});
    if (!call.ok()) return;
    const float* with = call.in(last);
    if (with[4] == 0) {
      for (int i = 0; i < 3 * count; i++) c->set_output(i, c->input(i));
      return;
    }
    struct Part {
      AdamW of;
      int64_t begin, end;
    };
    std::vector<Part> parts;
    for (int i = 0; i < count; i++) {
      const auto out = [&](int of) { return call.out_over(of * count + i, of * count + i); };
      const AdamW o{call.in(i),
                    call.in(count + i),
                    call.in(2 * count + i),
                    call.in(3 * count + i),
                    out(0),
                    out(1),
                    out(2),
                    beta1_,
                    beta2_,
                    rest1_,
                    rest2_,
                    epsilon_,
                    with[0],
                    with[1],
                    with[2],
                    with[3]};
      for (int64_t at = 0; at < call.size(i); at += kPart) parts.push_back({o, at, std::min(at + kPart, call.size(i))});
    }
    call.share(static_cast<int64_t>(parts.size()), 2 * kPart, [&](int64_t a, int64_t b) {
      for (int64_t i = a; i < b; i++) kernels().adamw(parts[i].of, parts[i].begin, parts[i].end);
    });
  }

 private:
  float beta1_, beta2_, rest1_, rest2_, epsilon_;
};
FINE_R1_OP(AdamW);

}  // namespace
}  // namespace fine_r1

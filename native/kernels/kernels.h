// The arithmetic of the fused ops, without TensorFlow: plain arrays of float32, all of it row-major and none of it
// overlapping unless said. A kernel works on a range of independent jobs, [begin, end), so that threads can share them;
// which thread takes which changes nothing in the result. What each one computes stands in lib/engine/ops.ts, where the
// same is composed of TensorFlow's ops.
#pragma once

#include <cstdint>

namespace fine_r1 {

/** Scores at least as low as this are not seen: their weight is 0. */
constexpr float kMasked = -1e8f;

/** Rows whose share of a gradient is summed in one job; the jobs' sums are added in their order. */
constexpr int64_t kSumBlock = 64;

/** y = w x / sqrt(mean(x^2) + eps). Jobs are rows of `size`. */
struct RmsNorm {
  const float *x, *w;
  float *y, *scale;
  int64_t size;
  float eps;
};

/** Jobs are blocks of kSumBlock rows; `dw` is [blocks, size]. */
struct RmsNormGrad {
  const float *dy, *x, *w, *scale;
  /** What `dx` is added to, or null; it may be `dx` itself, as `dy` may. */
  const float* start;
  float *dx, *dw;
  int64_t rows, size;
};

/** y = silu(gate) up. Jobs are numbers. */
struct SwiGlu {
  const float *gate, *up;
  float* y;
};

struct SwiGluGrad {
  const float *dy, *gate, *up;
  float *dgate, *dup;
};

/** y = x Phi(x), Phi the normal distribution's. Jobs are numbers. */
struct Gelu {
  const float* x;
  float* y;
};

struct GeluGrad {
  const float *dy, *x;
  float* dx;
};

/** Rotates heads of `size`; row n takes tables n mod `tables`. `inverse`: the gradient. y may be x. Jobs are rows of
 * `heads` heads. */
struct Rotary {
  const float *x, *cos, *sin;
  float* y;
  int64_t heads, size, tables;
  bool inverse;
};

/** Sizes that attention and its gradient share. */
struct AttentionShape {
  int64_t batch, heads, kv_heads, queries, keys, size;
  /** Keys and values are [batch, kv_heads, keys, size], otherwise [batch, keys, kv_heads, size]. */
  bool by_head;
  /** A query sees keys up to its own place, the last query the last key. */
  bool causal;
  /** Added to the scores, [mask_batch, mask_queries, keys]; a size of 1 serves all. May be null. */
  const float* mask;
  int64_t mask_batch, mask_queries;
  /** Queries and keys are turned by their positions first (as `Rotary`): tables [tables, size], taken by the tokens of
   * the batch one after the other and over again. Null where they are not to be. */
  const float *cos, *sin;
  int64_t tables;

  int64_t group() const { return heads / kv_heads; }
};

/** out = softmax(q k^T / sqrt(size) + mask) v. Jobs are (batch, kv head, block of queries). */
struct Attention {
  AttentionShape shape;
  /** q, out: [batch, queries, heads, size]; log_sum: [batch, heads, queries], of the exponentials of a row's scores. */
  const float *q, *k, *v;
  float *out, *log_sum;
  /** Queries of a job. */
  int64_t block;

  int64_t blocks() const { return (shape.queries + block - 1) / block; }
  int64_t jobs() const { return shape.batch * shape.kv_heads * blocks(); }
};

/** Jobs are (batch, kv head). Gradients may lie where queries, keys and values do. */
struct AttentionGrad {
  AttentionShape shape;
  const float *dout, *q, *k, *v, *log_sum;
  float *dq, *dk, *dv;

  int64_t jobs() const { return shape.batch * shape.kv_heads; }
};

/** One query a row, against three stretches of keys: the prompt's (shared by `rows / prompts` rows), the past, and a
 * chunk that grows. */
struct DecodeAttention {
  int64_t rows, prompts, heads, kv_heads, size, prompt_keys, past_keys, chunk_keys;
  /** Place of this step's key in the chunk; those after it are free. */
  int64_t slot;
  /** q: [rows, heads, size]; k, v: [rows, kv_heads, size]; prompt_*: [prompts, kv_heads, prompt_keys, size]; mask:
   * [prompts, prompt_keys]; past_*: [rows, kv_heads, past_keys, size]. */
  const float *q, *k, *v, *prompt_k, *prompt_v, *mask, *past_k, *past_v;
  /** [rows, kv_heads, chunk_keys, size]: written at `slot`. */
  float *chunk_k, *chunk_v;
  float* out;

  int64_t jobs() const { return rows * kv_heads; }
};

/** log softmax(logits / temperature)[target]. `log_sum`: of the exponentials of tempered logits, less the largest. Jobs
 * are rows of `size`. */
struct TokenLogProbs {
  const float* logits;
  const int32_t* targets;
  float *log_probs, *log_sum;
  int64_t size;
  float temperature;
};

struct TokenLogProbsGrad {
  const float *dy, *logits, *log_sum;
  const int32_t* targets;
  float* dlogits;
  int64_t size;
  float temperature;
};

/** y = a + b, where y may be a or b. Jobs are numbers. */
struct Add {
  const float *a, *b;
  float* y;
};

/** Sums over rows of `size` numbers. Jobs are blocks of kSumBlock rows; `sums` is [blocks, size]. */
struct ColumnSums {
  const float* x;
  float* sums;
  int64_t rows, size;
};

/** sums[i] = the sum of squares of part i, of lengths[i] numbers. Jobs are parts. */
struct SumsOfSquares {
  const float* const* parts;
  const int64_t* lengths;
  float* sums;
};

/** One step of AdamW. Jobs are numbers. Outputs may be the inputs. */
struct AdamW {
  const float *p, *m, *v, *g;
  float *new_p, *new_m, *new_v;
  /** `rest1`, `rest2`: 1 - beta, rounded once. */
  float beta1, beta2, rest1, rest2, epsilon;
  /** Factor on the gradient; learning rate over the first moment's correction; root of the second one's; factor on p.
   */
  float gradient_scale, rate, correction2, decay;
};

/** probabilities = softmax(logits / temperature). Jobs are lines. */
struct Softmax {
  const float* logits;
  float* probabilities;
  int64_t size;
  float temperature;
};

/** A token for each of `per_line` rows a line, by inverse CDF. Jobs are rows. */
struct Choose {
  const float *probabilities, *uniform, *banned;
  float* chosen;
  int64_t rows, size, per_line;
  float top_p;
};

/** Row-major, `stride` numbers a row. */
struct Matrix {
  const void* data;
  int64_t stride;
  /** Read as its transpose. */
  bool transposed;
  /** Of bfloat16, otherwise of float32. */
  bool is_bf16;
};

/** c = a b + bias + start, of [m, k] and [k, n]. Jobs are blocks of c, in each slice of k. */
struct MatMul {
  Matrix a, b;
  /** [n], or null. */
  const float* bias;
  /** [m, n], or null; may be `c` itself. There are no slices then. */
  const float* start;
  float* c;
  int64_t m, n, k;
  /** Numbers are rounded to bfloat16 before they are multiplied; otherwise the result has float32's accuracy. */
  bool rounds;
  int64_t block_m, block_n;
  /** Where c is small and k long: parts of k whose products `c` holds one after the other, for the caller to add; no
   * bias then. */
  int64_t slices;
  /** Of a slice but the last; every slice has some of k. */
  int64_t slice_depth;

  int64_t blocks_m() const { return (m + block_m - 1) / block_m; }
  int64_t blocks_n() const { return (n + block_n - 1) / block_n; }
  int64_t jobs() const { return blocks_m() * blocks_n() * slices; }
};

/**
 * y = (silu(x gate^T + gate_bias) * (x up^T + up_bias)) down^T + down_bias + start, without the numbers between in
 * memory: a block of rows goes through all of it, `kMlpChunk` inner places at a time, and stays in the cache. The
 * gradient computes what it needs of them again, or reads what was kept.
 */
struct SwiGluMlp {
  int64_t rows, in, inner, out;
  const float* x;
  /** [inner, in], [inner, in] and [out, inner]. */
  Matrix gate, up, down;
  /** [inner], [inner], [out], or null. */
  const float *gate_bias, *up_bias, *down_bias;
  /** [rows, out], or null; may be `y` itself. */
  const float* start;
  float* y;
  bool rounds;
  /** The weights, packed: `packed_bytes()`, `number_bytes` each. */
  char* packed;
  int64_t number_bytes;
  /** Rows of a job. */
  int64_t block;
  /** x gate^T and x up^T with their biases, mlp_kept(inner) numbers a row, block by block and panel by panel: written,
   * or read by the gradient of the same `block`; null where they are not kept. */
  float* kept;
  /** Null without a gradient. */
  const struct SwiGluMlpGrad* grad;

  bool recomputes() const { return grad != nullptr && kept == nullptr; }
  int64_t chunks() const;
  int64_t packed_bytes() const;
};

/** Jobs are slices: each goes over its blocks of rows one after the other and sums its share of the weights' gradients.
 */
struct SwiGluMlpGrad {
  const float* dy;
  float* dx;
  /** [slices, mlp_sums()]: what each slice adds to the gradients of gate^T, up^T, down, gate_bias and up_bias, in this
   * order, as whole panels of inner places. */
  float* sums;
  int64_t slices;
  /** The sums of all slices; the biases' may be null. */
  float *dgate, *dup, *ddown, *dgate_bias, *dup_bias;
};

/** Inner places at a time; sizes are rounded up to panels of `kMlpPanel`. */
constexpr int64_t kMlpChunk = 128, kMlpPanel = 32;
constexpr int64_t to_panels(int64_t n) { return (n + kMlpPanel - 1) / kMlpPanel * kMlpPanel; }
inline int64_t SwiGluMlp::chunks() const { return (inner + kMlpChunk - 1) / kMlpChunk; }
inline int64_t SwiGluMlp::packed_bytes() const {
  return chunks() * kMlpChunk * ((recomputes() ? 4 : 2) * to_panels(in) + to_panels(out)) * number_bytes;
}
/** Numbers of a row of what is kept: of gate and of up, each in whole panels. */
constexpr int64_t mlp_kept(int64_t inner) { return 2 * to_panels(inner); }
/** Numbers of one slice's sums: [in, inner] twice, [out, inner], [inner] twice, each size rounded up. */
inline int64_t mlp_sums(const SwiGluMlp& o) {
  return to_panels(o.inner) * (2 * to_panels(o.in) + to_panels(o.out) + 2);
}

/** Products of matrices, and what is made of them. */
struct Products {
  /** Bytes of a packed number, in float32 and rounded. */
  int64_t float_bytes, rounded_bytes;
  /** Most lines of a block of a product, and rows of a block of the SwiGLU layer: what is packed of them stays in the
   * second-level cache. Multiples of kMlpPanel. */
  int64_t most_lines, most_rows;
  void (*mat_mul)(const MatMul&, int64_t begin, int64_t end);
  /** Packs the weights; jobs are chunks of inner places. */
  void (*pack_mlp)(const SwiGluMlp&, int64_t begin, int64_t end);
  void (*swiglu_mlp)(const SwiGluMlp&, int64_t begin, int64_t end);
  void (*swiglu_mlp_grad)(const SwiGluMlp&, int64_t begin, int64_t end);
  /** Adds the slices' sums; jobs are kMlpPanel inner places. */
  void (*add_mlp_slices)(const SwiGluMlp&, int64_t begin, int64_t end);
};

/** One table of functions for each instruction set. */
struct Kernels {
  const char* name;
  void (*rms_norm)(const RmsNorm&, int64_t begin, int64_t end);
  void (*rms_norm_grad)(const RmsNormGrad&, int64_t begin, int64_t end);
  void (*swiglu)(const SwiGlu&, int64_t begin, int64_t end);
  void (*swiglu_grad)(const SwiGluGrad&, int64_t begin, int64_t end);
  void (*gelu)(const Gelu&, int64_t begin, int64_t end);
  void (*gelu_grad)(const GeluGrad&, int64_t begin, int64_t end);
  void (*rotary)(const Rotary&, int64_t begin, int64_t end);
  void (*attention)(const Attention&, int64_t begin, int64_t end);
  void (*attention_grad)(const AttentionGrad&, int64_t begin, int64_t end);
  void (*decode_attention)(const DecodeAttention&, int64_t begin, int64_t end);
  void (*token_log_probs)(const TokenLogProbs&, int64_t begin, int64_t end);
  void (*token_log_probs_grad)(const TokenLogProbsGrad&, int64_t begin, int64_t end);
  void (*add)(const Add&, int64_t begin, int64_t end);
  void (*column_sums)(const ColumnSums&, int64_t begin, int64_t end);
  void (*sums_of_squares)(const SumsOfSquares&, int64_t begin, int64_t end);
  void (*adamw)(const AdamW&, int64_t begin, int64_t end);
  void (*softmax)(const Softmax&, int64_t begin, int64_t end);
  void (*choose)(const Choose&, int64_t begin, int64_t end);
  Products products;
};

/** The best of this processor. */
const Kernels& kernels();

}  // namespace fine_r1

/**
 * The benchmark, line by line. What is equal on both sides, and what is not, stands at the head of each file in
 * `ours/`.
 */
import { benchImages } from "./images";
import type { CaseSpec, Peer, Side } from "./types";

const python = (of: string, group: "f32" | "bf16" | undefined, variants: Record<string, string>): Peer[] =>
  Object.entries(variants).map(([peer_name, variant]) => ({ peer_name, kind: "python", case: of, variant, group }));

const ours = (of: string, group: "f32" | "bf16", ...variants: string[]): Side[] =>
  variants.map((variant) => ({ case: of, variant, group }));

export const cases: readonly CaseSpec[] = [
  {
    name: "train-step",
    description:
      "training step of a 1.2 M-parameter decoder on 2,048 tokens, float32, against PyTorch without a compiler",
    ours: ["f32", "f32,xla"].map((variant) => ({ case: "train-step", variant })),
    peers: python("train_step", undefined, { "PyTorch eager": "eager", "PyTorch eager, fused Adam": "eager,fused" }),
    unit: "ms",
    per: "steps",
    must: 1.8,
    aim: 2.5,
    rounds: 7,
    tolerance: 1e-3,
  },
  {
    name: "train-step-best",
    description:
      "the same step, our fastest against the fastest of PyTorch: float32 against float32 and bfloat16 against bfloat16, the smaller ratio counts",
    ours: [...ours("train-step", "f32", "f32", "f32,xla"), ...ours("train-step", "bf16", "bf16", "bf16,xla")],
    peers: [
      ...python("train_step", "f32", {
        "PyTorch eager, fused Adam": "eager,fused",
        "torch.compile": "compile",
        "torch.compile, fused Adam": "compile,fused",
      }),
      ...python("train_step", "bf16", {
        "PyTorch bf16": "eager,bf16,fused",
        "torch.compile bf16": "compile,bf16,fused",
      }),
    ],
    unit: "ms",
    per: "steps",
    must: 1.3,
    aim: 1.8,
    rounds: 7,
    tolerance: { f32: 1e-3, bf16: 5e-2 },
  },
  {
    name: "train-step-ts",
    description:
      "the same step in float32 against jax-js, the other array library in TypeScript with gradients and a compiler, on its Wasm backend",
    ours: { case: "train-step", variant: "f32,steps=2" },
    peers: [
      { peer_name: "jax-js jit", kind: "node", case: "train-step-jax.mjs", variant: "steps=2" },
      { peer_name: "jax-js jit, two workers", kind: "node", case: "train-step-jax.mjs", variant: "workers,steps=2" },
    ],
    unit: "ms",
    per: "steps",
    must: null,
    aim: null,
    rounds: 3,
    tolerance: 1e-3,
  },
  {
    name: "matmul",
    description: "product of two 1024 x 1024 float32 matrices",
    ours: { case: "matmul", variant: "" },
    peers: python("matmul", undefined, { "PyTorch eager": "" }),
    unit: "ms",
    per: "products",
    must: null,
    aim: null,
    rounds: 7,
    tolerance: 0.05,
  },
  {
    name: "call-overhead",
    description: "calling a compiled function that adds 1 to 16 numbers",
    ours: { case: "call-overhead", variant: "" },
    peers: python("call_overhead", undefined, { "PyTorch eager": "eager", "torch.compile": "compile" }),
    unit: "µs",
    per: "calls",
    must: null,
    aim: null,
    rounds: 7,
    tolerance: 0,
  },
  {
    name: "image-processing",
    description: "256 images of 224 to 1,000 pixels, JPEG and PNG, from file to Qwen2.5-VL's pixel_values",
    ours: ["one", "together", "together,batches=2"].map((variant) => ({ case: "image-processing", variant })),
    peers: python("image_processing", undefined, {
      "transformers, Pillow": "pillow",
      "transformers, Pillow, two threads": "pillow,threads",
      "transformers, torchvision": "torchvision",
      "transformers, torchvision reads too": "torchvision,io",
      "transformers, torchvision reads too, two threads": "torchvision,io,threads",
    }),
    unit: "ms",
    per: "images",
    must: 1.5,
    aim: 3,
    rounds: 5,
    tolerance: 0,
    prepare: benchImages,
  },
  {
    name: "vlm-sft-step",
    description: "SFT step of the committed base on 16 rows with an image each",
    ours: [...ours("vlm-sft-step", "f32", "f32", "f32,xla"), ...ours("vlm-sft-step", "bf16", "bf16", "bf16,xla")],
    peers: [
      ...python("vlm_sft_step", "f32", { "transformers eager": "f32", "transformers, torch.compile": "compile" }),
      ...python("vlm_sft_step", "bf16", {
        "transformers bf16": "bf16",
        "transformers bf16, torch.compile": "compile,bf16",
      }),
    ],
    unit: "ms",
    per: "steps",
    must: 1.8,
    aim: 2.5,
    rounds: 7,
    tolerance: { f32: 1e-3, bf16: 5e-2 },
  },
  {
    name: "rollout",
    description: "64 prompts with an image each, one sample of 60 tokens each",
    ours: [...ours("rollout", "f32", "f32"), ...ours("rollout", "bf16", "bf16")],
    peers: [
      ...python("rollout", "f32", {
        "transformers generate": "dynamic",
        "transformers generate, static cache": "static",
      }),
      ...python("rollout", "bf16", {
        "transformers generate bf16": "dynamic,bf16",
        "transformers generate bf16, static cache": "static,bf16",
      }),
    ],
    unit: "s",
    must: 3,
    aim: 5,
    rounds: 5,
    tolerance: 0,
  },
  {
    name: "rollout-group",
    description: "16 prompts with an image each, 10 samples of 60 tokens each",
    ours: [...ours("rollout-group", "f32", "f32"), ...ours("rollout-group", "bf16", "bf16")],
    peers: [
      ...python("rollout_group", "f32", {
        "transformers generate": "dynamic",
        "transformers generate, static cache": "static",
        "transformers generate, prompts once": "prefix",
      }),
      ...python("rollout_group", "bf16", {
        "transformers generate bf16": "dynamic,bf16",
        "transformers generate bf16, static cache": "static,bf16",
        "transformers generate bf16, prompts once": "prefix,bf16",
      }),
    ],
    unit: "s",
    must: 2.5,
    aim: 5,
    rounds: 5,
    tolerance: 0,
  },
  {
    name: "tapo-step",
    description: "a whole step of TAPO on 32 groups of 10, against GRPO in TRL without triplets",
    ours: [...ours("tapo-step", "f32", "f32"), ...ours("tapo-step", "bf16", "bf16")],
    peers: [
      ...python("tapo_step", "f32", { "TRL GRPO": "f32,b=80", "TRL GRPO, one pass": "f32,b=320" }),
      ...python("tapo_step", "bf16", { "TRL GRPO bf16": "bf16,b=80", "TRL GRPO bf16, one pass": "bf16,b=320" }),
    ],
    unit: "s",
    must: 3,
    aim: 6,
    rounds: 3,
    tolerance: 0,
  },
];

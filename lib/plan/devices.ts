/** Devices as their vendors' data sheets have them, and what an hour of one costs. */

/** What a device could do. */
export interface Device {
  name: string;
  title: string;
  /** Dense products a second, bfloat16 on GPUs: operations. Data sheets with "sparsity" say twice as much. */
  flops: number;
  /** Memory bandwidth, bytes a second. */
  bandwidth: number;
  /** Memory, bytes. */
  memory: number;
  /** Where these numbers are from. */
  source: string;
  /** USD an hour, null where there is no market price: `--price` says it. */
  price: number | null;
  priceSource: string;
}

const SPECIALTY =
  "middle of the on-demand prices of specialised clouds, mercatus-ai.com/blog/cloud-gpu-pricing, 2026-05";

/** GPUs. Their prices are defaults of a day and differ by a factor of three between clouds: give your own. */
export const GPUS: readonly Device[] = [
  {
    name: "a100",
    title: "NVIDIA A100 SXM 80 GB",
    flops: 312e12,
    bandwidth: 2.039e12,
    memory: 80e9,
    source: "NVIDIA A100 80GB data sheet (2021): 312 TFLOPS bfloat16, 2,039 GB/s",
    price: 1.3,
    priceSource: SPECIALTY,
  },
  {
    name: "l40s",
    title: "NVIDIA L40S",
    flops: 362.05e12,
    bandwidth: 864e9,
    memory: 48e9,
    source: "NVIDIA L40S data sheet (2023): 362.05 TFLOPS bfloat16 without sparsity, 864 GB/s",
    price: 1.58,
    priceSource: "the one listing of gpu.blog/gpus/nvidia-l40s-nvl, read 2026-11",
  },
  {
    name: "h100",
    title: "NVIDIA H100 SXM",
    flops: 989.5e12,
    bandwidth: 3.35e12,
    memory: 80e9,
    source: "NVIDIA H100 data sheet (2023): 1,979 TFLOPS bfloat16 with sparsity, half without; 3.35 TB/s",
    price: 3,
    priceSource: SPECIALTY,
  },
  {
    name: "h200",
    title: "NVIDIA H200 SXM",
    flops: 989.5e12,
    bandwidth: 4.8e12,
    memory: 141e9,
    source: "NVIDIA H200 data sheet (2024): 1,979 TFLOPS bfloat16 with sparsity, half without; 4.8 TB/s",
    price: 4,
    priceSource: SPECIALTY,
  },
  {
    name: "b200",
    title: "NVIDIA B200 (HGX)",
    flops: 2250e12,
    bandwidth: 8e12,
    memory: 180e9,
    source: "NVIDIA DGX/HGX B200 data sheet (2024), an eighth: 36 PFLOPS bfloat16 with sparsity, 64 TB/s, 1,440 GB",
    price: 5.25,
    priceSource: "middle of $4.50 to 6.00 on specialised clouds, lyceum.technology, 2026-03-11",
  },
];

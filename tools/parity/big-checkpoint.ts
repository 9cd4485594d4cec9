/**
 * A random bf16 checkpoint in the shape of Qwen2.5-VL-3B, written tensor by tensor in shards as the published one is.
 */
import * as fs from "node:fs";
import * as path from "node:path";
import { toBfloat16 } from "../../lib/model/half";
import { configToJson, type ModelConfig } from "../../lib/model/config";
import { publishedConfig } from "../../lib/model/published";
import { paramShapes } from "../../lib/model/shapes";

/** The published configuration of Qwen2.5-VL-3B-Instruct. */
export const CONFIG_3B: ModelConfig = publishedConfig("Qwen2.5-VL-3B-Instruct");

const SHARD = 2 ** 31;

/**
 * 65,536 quantiles of the standard normal distribution (Box and Muller, from a fixed sequence), to be drawn from with
 * equal probability.
 */
function normalTable(): Float32Array {
  let state = 12345;
  const uniform = (): number => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) + 0.5) / 2 ** 32;
  return Float32Array.from(
    { length: 65536 },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

/**
 * Writes `config.json`, the shards and their index into `dir`. Linear weights are N(0, 1 / in), embeddings N(0, 0.02²),
 * biases N(0, 0.02²), norms 1 + N(0, 0.02²): every part shows in the logits. Equal seeds give equal files.
 * @returns number of parameters
 */
export function writeBigCheckpoint(dir: string, config: ModelConfig, seed: number): number {
  fs.mkdirSync(dir, { recursive: true });
  const shapes = Object.entries(paramShapes(config)).map(([name, shape]) => ({
    name,
    shape,
    size: shape.reduce((a, b) => a * b, 1),
  }));
  const shards: (typeof shapes)[] = [[]];
  let filled = 0;
  for (const tensor of shapes) {
    if (filled > 0 && filled + 2 * tensor.size > SHARD) {
      shards.push([]);
      filled = 0;
    }
    shards[shards.length - 1].push(tensor);
    filled += 2 * tensor.size;
  }
  const normal = normalTable();
  let state = seed >>> 0 || 1;
  const fill = (out: Uint16Array, table: Uint16Array): void => {
    for (let i = 0; i < out.length; i += 2) {
      state ^= state << 13; // xorshift32 (Marsaglia 2003): two draws a step
      state ^= state >>> 17;
      state ^= state << 5;
      out[i] = table[state & 65535];
      if (i + 1 < out.length) out[i + 1] = table[state >>> 16];
    }
  };
  const weightMap: Record<string, string> = {};
  shards.forEach((tensors, index) => {
    const file = `model-${String(index + 1).padStart(5, "0")}-of-${String(shards.length).padStart(5, "0")}.safetensors`;
    const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
    let offset = 0;
    for (const { name, shape, size } of tensors) {
      header[name] = { dtype: "BF16", shape, data_offsets: [offset, (offset += 2 * size)] };
      weightMap[name] = file;
    }
    let text = JSON.stringify(header);
    text += " ".repeat((8 - (Buffer.byteLength(text) % 8)) % 8);
    const fd = fs.openSync(path.join(dir, file), "w");
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
    fs.writeSync(fd, prefix);
    fs.writeSync(fd, text);
    for (const { name, shape, size } of tensors) {
      const isNorm = /(norm1|norm2|ln_q|layernorm|model\.norm)\.weight$/.test(name);
      const isLinear = shape.length > 1 && name !== "model.embed_tokens.weight";
      const std = isLinear ? 1 / Math.sqrt(size / shape[0]) : 0.02;
      const table = toBfloat16(normal.map((x) => (isNorm ? 1 : 0) + std * x));
      const values = new Uint16Array(Math.min(size, 1 << 22));
      for (let done = 0; done < size; done += values.length) {
        const part = values.subarray(0, Math.min(values.length, size - done));
        fill(part, table);
        fs.writeSync(fd, new Uint8Array(part.buffer, 0, part.byteLength));
      }
    }
    fs.closeSync(fd);
  });
  const write = (name: string, value: unknown): void =>
    fs.writeFileSync(path.join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  const total = shapes.reduce((sum, { size }) => sum + size, 0);
  write("model.safetensors.index.json", { metadata: { total_size: 2 * total }, weight_map: weightMap });
  write("config.json", { ...configToJson(config), torch_dtype: "bfloat16" });
  return total;
}

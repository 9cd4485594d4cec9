/**
 * `train-step` in jax-js: the model of `ours/tiny-gpt.ts` from the same numbers; loss, gradients and Adam in one `jit`.
 *
 * In a browser its Wasm backend uses Web Workers, which Node lacks, so there it runs on one thread. The variant
 * `workers` gives it Node's own threads under the browser's interface, two of them. `.ref` keeps an array that is used
 * again (its rule of ownership).
 */
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { resolveObjectURL } from "node:buffer";
import { fileURLToPath, pathToFileURL } from "node:url";
import * as threads from "node:worker_threads";

const folder = fileURLToPath(new URL("../../../.bench/node_modules/@jax-js/jax/", import.meta.url));
const { gptBatch, gptValues, TINY } = createRequire(import.meta.url)("../ours/tiny-gpt-data.ts");
const { numbers, words } = createRequire(import.meta.url)("../variant.ts");

export const versions = { "jax-js": JSON.parse(readFileSync(`${folder}package.json`, "utf8")).version };

/** A Web Worker made of a Node thread: as much of it as jax-js uses. */
class NodeWorker {
  onmessage = null;
  onerror = null;
  #thread;

  constructor(url) {
    const before =
      "const { parentPort } = require('node:worker_threads'); globalThis.self = globalThis; globalThis.postMessage = (data) => parentPort.postMessage(data); parentPort.on('message', (data) => self.onmessage({ data }));";
    this.#thread = resolveObjectURL(url)
      .text()
      .then((source) => {
        const thread = new threads.Worker(before + source, { eval: true });
        thread.on("message", (data) => this.onmessage?.({ data }));
        thread.on("error", (error) => this.onerror?.(error));
        return thread;
      });
  }

  postMessage(data) {
    void this.#thread.then((thread) => thread.postMessage(data));
  }
}

function offerWorkers() {
  globalThis.Worker = NodeWorker;
  Object.defineProperty(globalThis, "navigator", { value: { hardwareConcurrency: 2 }, configurable: true });
}

function lossOf({ numpy: np, nn }, { v, d, layers, heads, t, b }) {
  const head = d / heads;
  const inverse = Float32Array.from({ length: head / 2 }, (_, i) => 10000 ** ((-2 * i) / head));
  const half = np
    .arange(t)
    .astype(np.float32)
    .reshape([t, 1])
    .mul(np.array(inverse).reshape([1, head / 2]));
  const angles = np.concatenate([half.ref, half], -1).reshape([1, t, 1, head]);
  const [cos, sin] = [np.cos(angles.ref), np.sin(angles)];
  const norm = (x, w) => x.ref.mul(np.reciprocal(np.sqrt(np.square(x).mean(-1, { keepdims: true }).add(1e-6)))).mul(w);
  const linear = (x, w) => np.matmul(x, w.transpose());
  const split = (x) => x.reshape([b, t, heads, head]);
  const swap = (x) => x.transpose([0, 2, 1, 3]); // its dotProductAttention does the same, by an einsum that needs Node 22
  const rotate = (x) => {
    const first = x.ref.slice([], [], [], [0, head / 2]);
    const second = x.ref.slice([], [], [], [head / 2, head]);
    return x.mul(cos.ref).add(np.concatenate([np.negative(second), first], -1).mul(sin.ref));
  };
  return (p, ids, targets) => {
    let x = p.emb.ref.slice(ids);
    for (let l = 0; l < layers; l++) {
      const w = (name) => p[`l${l}.${name}`];
      const h = norm(x.ref, w("n1"));
      const q = swap(rotate(split(linear(h.ref, w("q")))));
      const k = rotate(split(linear(h.ref, w("k")))).transpose([0, 2, 3, 1]);
      const scores = np.where(np.tri(t, t, 0, { dtype: np.bool }), np.matmul(q, k).mul(1 / Math.sqrt(head)), -Infinity);
      const mixed = swap(np.matmul(nn.softmax(scores, -1), swap(split(linear(h, w("v"))))));
      x = x.add(linear(mixed.reshape([b * t, d]), w("o")));
      const h2 = norm(x.ref, w("n2"));
      x = x.add(linear(nn.silu(linear(h2.ref, w("g"))).mul(linear(h2, w("u"))), w("d")));
    }
    const logits = linear(norm(x, p.nf), p.emb);
    return np.negative(nn.logSoftmax(logits, -1).mul(nn.oneHot(targets, v)).sum(-1).mean());
  };
}

export async function setUp(variant) {
  if (words(variant).workers) offerWorkers();
  const jax = await import(pathToFileURL(`${folder}dist/index.js`).href);
  const { numpy: np, tree } = jax;
  const { steps, ...size } = numbers(variant, { ...TINY, steps: 10 }, ["workers"]);
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const values = gptValues(size);
  const arrays = (of) =>
    Object.fromEntries(values.map(([name, shape, initial]) => [name, np.array(of(initial)).reshape(shape)]));
  const batch = gptBatch(size);
  const [ids, targets] = [np.array(batch.ids), np.array(batch.targets)];
  let state = {
    params: arrays((initial) => initial),
    m: arrays(({ length }) => new Float32Array(length)),
    v: arrays(({ length }) => new Float32Array(length)),
    count: np.array(new Float32Array(1)).reshape([]),
  };

  const loss = lossOf(jax, size);
  const step = jax.jit((old, tokens, next) => {
    const [value, gradients] = jax.valueAndGrad(loss)(tree.ref(old.params), tokens, next);
    const count = old.count.add(1);
    const [first, second] = [0.9, 0.999].map((beta) => np.negative(np.exp(count.ref.mul(Math.log(beta)))).add(1));
    const out = { params: {}, m: {}, v: {}, count };
    for (const name of Object.keys(old.params)) {
      const g = gradients[name];
      const m = old.m[name].mul(0.9).add(g.ref.mul(0.1));
      const v = old.v[name].mul(0.999).add(np.square(g).mul(0.001));
      const denominator = np.sqrt(v.ref.div(second.ref)).add(1e-8);
      out.params[name] = old.params[name].sub(m.ref.div(first.ref).div(denominator).mul(1e-3));
      out.m[name] = m;
      out.v[name] = v;
    }
    first.dispose();
    second.dispose();
    return [value, out];
  });

  return {
    run: async () => {
      let value = NaN;
      for (let i = 0; i < steps; i++) {
        const [next, after] = step(state, ids.ref, targets.ref);
        state = await jax.blockUntilReady(after);
        [value] = await next.data();
      }
      return value;
    },
    work: { steps, tokens: size.b * size.t, parameters: values.reduce((n, [, , { length }]) => n + length, 0) },
  };
}

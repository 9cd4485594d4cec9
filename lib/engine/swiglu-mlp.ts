/** The SwiGLU feed-forward layer, as one fused kernel each way or as three linear layers. */
import { callKernel, hasMatrixUnit, usesKernels } from "./kernels";
import { linear } from "./linear";
import { isBf16 } from "./native";
import { swiglu, withGradient } from "./ops";
import { tf, type Tensor } from "./tensorflow";

/** Weight [out, in] and bias [out] of a linear layer. */
export interface LinearLayer {
  weight: Tensor;
  bias: Tensor | null;
}

/** Of larger layers a block of rows doesn't stay in a core's cache, and the packed weights take memory that counts. */
const MOST_WIDTH = 512;
const MOST_INNER = 4096;

/** Whether the kernel keeps what its gradient needs, gate and up. */
const keepsGateAndUp = (): boolean => tf.engine().state.gradientDepth > 0 && !hasMatrixUnit();

/**
 * `down(silu(gate(x)) * up(x))` (Shazeer 2020).
 * @param x [..., in]
 * @param gate inner x in
 * @param up as gate
 * @param down out x inner
 * @returns [..., out]
 */
export function swigluMlp(x: Tensor, gate: LinearLayer, up: LinearLayer, down: LinearLayer): Tensor {
  const through = (layer: LinearLayer, y: Tensor): Tensor => linear(y, layer.weight, layer.bias);
  const layers = [gate, up, down];
  const [inner, width] = gate.weight.shape;
  const sameType = layers.every(({ weight }) => isBf16(weight) === isBf16(gate.weight));
  const fits =
    x.shape[x.rank - 1] === width &&
    Math.max(width!, down.weight.shape[0]) <= MOST_WIDTH &&
    inner <= MOST_INNER &&
    x.size > 0;
  if (!usesKernels() || !sameType || !fits)
    return tf.tidy(() => through(down, swiglu(through(gate, x), through(up, x))));
  return tf.tidy(() =>
    fused(x.rank === 2 ? x : x.reshape([-1, width!]), layers).reshape([...x.shape.slice(0, -1), down.weight.shape[0]]),
  );
}

function fused(x: Tensor, layers: LinearLayer[]): Tensor {
  const biases = layers.map(({ bias }) => bias);
  const given = biases.filter((bias): bias is Tensor => bias !== null);
  return withGradient(
    [x, ...layers.map(({ weight }) => weight), ...given],
    (save) => {
      const none = tf.zeros([0]);
      const inputs = [x, ...layers.map(({ weight }) => weight), ...biases.map((bias) => bias ?? none)];
      const [y, kept] = callKernel("SwiGluMlp", inputs, 2, { rounds: false, keeps: keepsGateAndUp() });
      save([...inputs, kept]);
      return y;
    },
    (dy, saved) => {
      const [dx, dGate, dUp, dDown, ...dBiases] = callKernel("SwiGluMlpGrad", [dy, ...saved], 6, { rounds: false });
      const all = [dBiases[0], dBiases[1], biases[2] ? callKernel("ColumnSums", [dy], 1)[0] : dBiases[0]];
      return [dx, dGate, dUp, dDown, ...all.filter((_, i) => biases[i] !== null)];
    },
  );
}

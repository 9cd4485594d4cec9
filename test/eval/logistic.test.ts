import { describe, expect, it } from "vitest";
import { random } from "../../lib/util/random";
import { tf } from "../../lib/engine/tensorflow";
import { bestClass, chooseL2, fitProbe, probeScores, type Labelled } from "../../lib/eval/logistic";

/** Points around three corners, `noise` away; dimension 3 is constant, dimension 4 is noise only. */
function corners(count: number, noise: number, seed: number): Labelled {
  const r = random(seed);
  const labels = Array.from({ length: count }, (_, i) => i % 3);
  return {
    labels,
    features: labels.map((c) =>
      Float32Array.from([
        (c === 0 ? 5 : 0) + noise * r.normal(),
        (c === 1 ? 500 : 0) + 100 * noise * r.normal(),
        (c === 2 ? 5 : 0) + noise * r.normal(),
        7,
        r.normal(),
      ]),
    ),
  };
}
const accuracy = (data: Labelled, l2: number, test: Labelled): number => {
  const scores = probeScores(fitProbe(data, 3, l2), test.features);
  return scores.filter((row, i) => bestClass(row) === test.labels[i]).length / scores.length;
};

describe("fitProbe", () => {
  it("is at the optimum: the gradient of the penalised loss, worked out here, is 0 there", () => {
    const data = corners(60, 3, 1);
    const probe = fitProbe(data, 3, 0.05, 1000);
    expect(probe.gradient).toBeLessThan(1e-4);
    const scores = probeScores(probe, data.features);
    const width = 5;
    for (let d = 0; d <= width; d++) {
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        scores.forEach((row, n) => {
          const total = row.reduce((t, z) => t + Math.exp(z), 0);
          const x = d === width ? 1 : (data.features[n][d] - probe.mean[d]) * probe.scale[d];
          sum += x * (Math.exp(row[c]) / total - (data.labels[n] === c ? 1 : 0));
        });
        expect(Math.abs(sum / 60 + (d === width ? 0 : 0.05) * probe.weights[d * 3 + c])).toBeLessThan(1e-3);
      }
    }
  });

  it("finds what is linearly there, on scales far apart, and nothing where labels are random", () => {
    expect(accuracy(corners(60, 1, 2), 0.01, corners(90, 1, 3))).toBeGreaterThan(0.9);
    const shuffled = corners(60, 1, 4);
    const wrong = { ...shuffled, labels: random(5).shuffle(shuffled.labels) };
    expect(accuracy(wrong, 0.01, corners(300, 1, 6))).toBeLessThan(0.55);
  });

  it("shrinks with the penalty, keeps the bias free, and leaves no tensor", () => {
    const before = tf.memory().numTensors;
    const data = {
      features: [[1], [1.5], [4], [5], [6], [8]].map((row) => Float32Array.from(row)),
      labels: [0, 0, 1, 1, 1, 1],
    };
    const norm = (l2: number): number => Math.hypot(...fitProbe(data, 2, l2).weights.slice(0, 2));
    expect(norm(10)).toBeLessThan(norm(0.1) / 5);
    const [scores] = probeScores(fitProbe(data, 2, 1e4, 4000), [Float32Array.from([1])]);
    expect(scores[1] - scores[0]).toBeCloseTo(Math.log(2), 1); // four against two: the bias alone is left
    expect(tf.memory().numTensors).toBe(before);
  });

  it("says what is wrong", () => {
    const data = corners(6, 1, 1);
    expect(() => fitProbe({ ...data, labels: [0] }, 3, 0.1)).toThrow("6 rows of features and 1 labels");
    expect(() => fitProbe(data, 2, 0.1)).toThrow("label 2 is not in [0, 2)");
    expect(() => probeScores(fitProbe(data, 3, 0.1, 2), [new Float32Array(4)])).toThrow(
      "row 0 has 4 features, 5 expected",
    );
  });
});

describe("chooseL2", () => {
  it("takes the penalty that fits a held-out group best, the larger of equals", () => {
    const clean = corners(30, 0.2, 7);
    const groups = clean.labels.map((_, i) => (i < 15 ? "a" : "b"));
    expect(chooseL2(clean, 3, groups, [0.001, 0.01], 50)).toBe(0.01);
    expect(() =>
      chooseL2(
        clean,
        3,
        clean.labels.map(() => "a"),
        [0.1],
      ),
    ).toThrow("1 group of training rows");
  });
});

describe("bestClass", () => {
  it("keeps to the classes allowed", () => {
    const scores = Float32Array.from([0.1, 3, 2]);
    expect([bestClass(scores), bestClass(scores, [0, 2])]).toEqual([1, 2]);
  });
});

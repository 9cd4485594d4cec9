/**
 * Quantiles of Student's t distribution, for any number of degrees of freedom from 1 on, whole or not. Written here
 * since `@stdlib/stats-base-dists-t-quantile` (0.2.3) comes with 222 packages more.
 */

/** Lanczos' approximation of ln gamma(x), x > 0, g = 7, nine terms (Numerical Recipes, 3rd edition, 6.1): 1e-14. */
const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(x: number): number {
  const t = x + 6.5;
  const sum = LANCZOS.reduce((total, c, i) => total + (i === 0 ? c : c / (x - 1 + i)), 0);
  return (x - 0.5) * Math.log(t) - t + Math.log(Math.sqrt(2 * Math.PI) * sum);
}

const TINY = 1e-300;
const apart = (x: number): number => (Math.abs(x) < TINY ? TINY : x);

/** The continued fraction of the incomplete beta function, by Lentz's method (Numerical Recipes, 6.4). */
function betaFraction(x: number, a: number, b: number): number {
  let c = 1;
  let d = 1 / apart(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m <= 10_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let step = 1;
    for (const term of [even, odd]) {
      d = 1 / apart(1 + term * d);
      c = apart(1 + term / c);
      step = c * d;
      h *= step;
    }
    if (Math.abs(step - 1) < 1e-15) break;
  }
  return h;
}

/** The regularised incomplete beta function I_x(a, b), in [0, 1]; x in [0, 1], a and b above 0. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  // the fraction converges fast below the mean; above it the other tail is taken
  return x < (a + 1) / (a + b + 2) ? (front * betaFraction(x, a, b)) / a : 1 - (front * betaFraction(1 - x, b, a)) / b;
}

/** P(T > t) for t >= 0. */
const upperTail = (t: number, df: number): number => incompleteBeta(df / (df + t * t), df / 2, 0.5) / 2;

/**
 * The p quantile of Student's t distribution, to a relative 1e-12, by bisection.
 * @param p in [0.0001, 0.9999]
 * @param df degrees of freedom, 1 or more
 * @throws Error on a p or a df out of range
 */
export function tQuantile(p: number, df: number): number {
  if (!(p >= 0.0001 && p <= 0.9999)) throw new Error(`tQuantile: p is ${p}; expected a number from 0.0001 to 0.9999`);
  if (!(df >= 1 && df < Infinity)) throw new Error(`tQuantile: df is ${df}; expected a finite number of at least 1`);
  if (p < 0.5) return -tQuantile(1 - p, df);
  let [low, high] = [0, 1];
  while (upperTail(high, df) > 1 - p) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (upperTail(middle, df) > 1 - p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

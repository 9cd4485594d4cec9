import { configDefaults, defineConfig } from "vitest/config";

/** Tests that open JupyterLab are run by `npm run test:browser` alone, one file after the other: they measure times. */
const inBrowser = process.env.FINE_R1_BROWSER === "1";

export default defineConfig({
  test: {
    exclude: [...configDefaults.exclude, ...(inBrowser ? [] : ["test/browser/**"])],
    fileParallelism: !inBrowser,
    include: ["test/**/*.test.ts", "test/**/*.test.mjs"],
    pool: "forks",
    // Two engines that each spin threads on all cores slow one another by an order of magnitude.
    maxWorkers: 2,
    env: { TF_CPP_MIN_LOG_LEVEL: "3", TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

import { configDefaults, defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts", "test/**/*.test.mjs"],
    // Tests in a browser are asked for: FINE_R1_BROWSER=1.
    exclude: [...configDefaults.exclude, ...(process.env.FINE_R1_BROWSER === "1" ? [] : ["test/browser/**"])],
    pool: "forks",
    // Two engines that each spin threads on all cores slow one another by an order of magnitude.
    maxWorkers: 2,
    env: { TF_CPP_MIN_LOG_LEVEL: "3", TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});

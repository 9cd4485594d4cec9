/**
 * The order of the modules of `lib/`, and no import cycles, type-only imports included. `npm run lint` checks both.
 * A module imports modules before it in this list, and itself.
 */
const MODULES = [
  "util",
  "engine",
  "model",
  "processor",
  "loss",
  "reward",
  "rollout",
  "serve",
  "train",
  "formats",
  "benchmark",
  "cot",
  "eval",
  "report",
  "experiment",
  "plan",
  "export",
  "cluster",
];

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: {}, to: { circular: true } },
    ...MODULES.map((module, i) => ({
      name: `modules-below-${module}`,
      comment: `lib/${module} imports only ${MODULES.slice(0, i + 1).join(", ")}`,
      severity: "error",
      from: { path: `^lib/${module}/` },
      to: { path: "^lib/", pathNot: `^lib/(${MODULES.slice(0, i + 1).join("|")})/` },
    })),
    {
      name: "no-loose-files",
      comment: "every file of lib/ but index.ts has a module",
      severity: "error",
      from: { path: `^lib/(?!index\\.ts$|(${MODULES.join("|")})/)` },
      to: {},
    },
    {
      name: "lib-stands-alone",
      comment: "lib/ imports neither the command line nor tools nor tests",
      severity: "error",
      from: { path: "^lib/" },
      to: { path: "^(cli|tools|test)/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "node_modules" },
  },
};

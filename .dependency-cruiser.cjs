/**
 * The order of the rooms of `lib/`, and no import cycles, type-only imports included. `npm run lint` checks both.
 * A room imports rooms before it in this list, and itself.
 */
const ROOMS = [
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
    ...ROOMS.map((room, i) => ({
      name: `rooms-below-${room}`,
      comment: `lib/${room} imports only ${ROOMS.slice(0, i + 1).join(", ")}`,
      severity: "error",
      from: { path: `^lib/${room}/` },
      to: { path: "^lib/", pathNot: `^lib/(${ROOMS.slice(0, i + 1).join("|")})/` },
    })),
    {
      name: "no-loose-files",
      comment: "every file of lib/ but index.ts has a room",
      severity: "error",
      from: { path: `^lib/(?!index\\.ts$|(${ROOMS.join("|")})/)` },
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

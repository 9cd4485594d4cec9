/** The ablation study: variants, their runs, table and figures. */
export * from "./publish";
export * from "./run";
export * from "./table";
export * from "./variants";

/** Losses: pure functions of tensors, usable inside a compiled function. */
export * from "./advantages";
export * from "./contrast";
export * from "./entropy";
export * from "./log-probs";
export * from "./masked";
export * from "./micro-batch";
export * from "./policy";
export * from "./sft";
export * from "./stop-gradient";
export * from "./tapo";

/** Planning: what a run takes before it, and a fleet of rollout workers. docs/planning.md. */
export { meanError, worstFactor, type HeldOut } from "./fit";
export { FLEET, simulateFleet, type Fleet, type FleetResult, type Span } from "./fleet";
export { fleetFigure, fleetTraceFigure, planFigure, type PlanPoint } from "./figures";
export { readMeasurements, type Measurements } from "./measurements";
export { SIZES, sizeConfig, type Size } from "./models";
export { planRun, type PlanRequest, type RunPlan, type StageCost } from "./plan";
export { planFor, type PlanChoice } from "./choose";
export type { Range } from "./range";
export { allDevices, bigError, calibrateCpu, calibrateGpu, carriedErrors, speedsOf } from "./speeds";
export { STAGES, WORKLOAD, type Workload } from "./stages";
export { TEACHER_PHASE } from "./teacher";
export { workloadOf } from "./workload";

/** A plan by names: a published size, a device, an engine, so many sub-categories. */
import { loraConfig } from "../experiment/models";
import { loadSettings } from "../experiment/load-settings";
import type { Settings } from "../experiment/settings";
import type { ModelConfig } from "../model/config";
import type { Device } from "./devices";
import type { Measurements } from "./measurements";
import { sizeConfig, type Size } from "./models";
import { planRun, type PlanRequest, type RunPlan } from "./plan";
import { allDevices, speedsOf, type EngineName, type Speeds } from "./speeds";
import { WORKLOAD, type Workload } from "./stages";
import { workloadOf } from "./workload";

/** Responses decoded together with another engine, where nothing says how many: an assumption. */
export const ROWS_ELSEWHERE = 128;

export interface PlanChoice {
  /** A published size, or a configuration. */
  model: Size | ModelConfig;
  /** Name of a device, or the device. */
  device: string;
  engine?: EngineName;
  /** What differs from `WORKLOAD` and from what the settings say. */
  workload?: Partial<Workload>;
  /** The paper's by default. */
  settings?: Settings;
  lora?: PlanRequest["lora"];
  teacher?: Size;
  teacherPrice?: PlanRequest["teacherPrice"];
  devices?: number;
  /** Bytes of a device, where it has another size of memory. */
  memory?: number;
  price?: number;
  rows?: number;
}

/** @throws Error where there is no such device, with those there are */
export function deviceNamed(name: string, measurements: Measurements): Device {
  const devices = allDevices(measurements);
  const found = devices.find((one) => one.name === name);
  if (!found)
    throw new Error(`no device ${JSON.stringify(name)}; expected ${devices.map((one) => one.name).join(", ")}`);
  return found;
}

/** The plan, with the device and the speeds that it is made with. */
export function planFor(choice: PlanChoice, measurements: Measurements): RunPlan & { device: Device; speeds: Speeds } {
  const { model, engine = "here", teacher = "32B", rows = ROWS_ELSEWHERE } = choice;
  const settings = choice.settings ?? loadSettings({ scale: "paper", environment: {} });
  const named = deviceNamed(choice.device, measurements);
  const device = { ...named, memory: choice.memory ?? named.memory };
  const speeds = speedsOf(device, engine, measurements);
  const plan = planRun({
    config: typeof model === "string" ? sizeConfig(model) : model,
    teacher: sizeConfig(teacher),
    workload: { ...WORKLOAD, ...workloadOf(settings), ...choice.workload },
    settings,
    lora: choice.lora === undefined ? loraConfig(settings) : choice.lora,
    device,
    speeds,
    engine,
    devices: choice.devices ?? null,
    price: choice.price,
    rows,
    teacherPrice: choice.teacherPrice,
  });
  return { ...plan, device, speeds };
}

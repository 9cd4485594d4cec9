/** `--endpoint` and its options as the library takes them. */
import { note } from "./output";
import { UsageError } from "./values";

/** What the command line says of an endpoint. */
export interface EndpointOptions {
  endpoint?: string;
  modelName?: string;
  concurrency: number;
  requestsPerMinute: number;
  retries: number;
  timeout: number;
}

/** The key from the environment, limits, and retries reported on stderr. */
export const endpointLimits = ({ retries, timeout, requestsPerMinute, concurrency }: EndpointOptions) => ({
  apiKey: process.env.OPENAI_API_KEY,
  retries,
  timeoutMs: 1000 * timeout,
  requestsPerMinute,
  concurrency,
  onRetry: (attempt: number, waitMs: number, reason: string): void =>
    note(`again in ${(waitMs / 1000).toFixed(1)} s (attempt ${attempt} failed: ${reason})`),
});

/** Address and model of an endpoint that is needed. @throws UsageError naming the option that is missing */
export function endpointAddress({ endpoint, modelName }: EndpointOptions): { baseUrl: string; model: string } {
  if (endpoint === undefined) throw new UsageError("--endpoint is missing: URL");
  if (modelName === undefined) throw new UsageError("--model-name is missing: the name the endpoint serves");
  return { baseUrl: endpoint, model: modelName };
}

/** Errors as OpenAI's protocol tells them: `{error: {message, type, param, code}}` and a status. */

/** What a client is told. */
export class ApiError extends Error {
  /**
   * @param param the field of the request that is wrong, as `messages[0].content`
   * @param code in words, such as `unsupported_parameter`
   */
  constructor(
    readonly status: number,
    message: string,
    readonly param: string | null = null,
    readonly code: string | null = null,
  ) {
    super(message);
  }

  /** The body that goes with the status. */
  body(): { error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, param, code, status } = this;
    return { error: { message, type: typeOf(status), param, code } };
  }
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error",
};

const typeOf = (status: number): string => TYPES[status] ?? (status >= 500 ? "server_error" : "invalid_request_error");

/** A field of a request that cannot be used. */
export const badField = (param: string, message: string, code: string | null = null): ApiError =>
  new ApiError(400, `${param}: ${message}`, param, code);

/** Anything thrown as what a client is told: what is no `ApiError` is this server's own fault. */
export const asApiError = (error: unknown): ApiError =>
  error instanceof ApiError ? error : new ApiError(500, error instanceof Error ? error.message : String(error));

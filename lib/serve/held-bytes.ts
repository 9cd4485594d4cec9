/**
 * What the requests under way hold, in bytes of their bodies: from the first byte that is read until the reply has
 * ended. Images make bodies large, so a limit on the number of requests alone bounds no memory.
 */
import { ApiError } from "./api-error";

/** The part of one request. */
export interface Share {
  /** @throws ApiError 503 where so many more bytes are not free; nothing is taken by this */
  check(bytes: number): void;
  /** Takes so many bytes more. @throws ApiError 503 where they are not free */
  take(bytes: number): void;
  /** Gives all of it back; a second call does nothing. */
  release(): void;
}

/** All requests together. */
export interface HeldBytes {
  /** Bytes that are held now. */
  readonly bytes: number;
  share(): Share;
}

/** @param most bytes of all bodies together */
export function createHeldBytes(most: number): HeldBytes {
  let held = 0;
  const check = (bytes: number): void => {
    if (held + bytes > most)
      throw new ApiError(
        503,
        `requests under way hold ${held} of ${most} bytes, and this one has no room beside them; send it again later`,
        null,
        "memory_full",
      );
  };
  return {
    get bytes() {
      return held;
    },
    share: () => {
      let own = 0;
      return {
        check,
        take: (bytes) => {
          check(bytes);
          held += bytes;
          own += bytes;
        },
        release: () => {
          held -= own;
          own = 0;
        },
      };
    },
  };
}

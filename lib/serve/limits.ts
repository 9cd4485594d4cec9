/** What one request, and all of them together, may ask of the server. */
export interface Limits {
  /** Bytes of a request's body. */
  bodyBytes: number;
  /** Bytes of the bodies of all requests that wait or are answered; further ones are told to come again. */
  heldBytes: number;
  /** Pixels of an image as it is sent; what the model sees is resized by the checkpoint's preprocessor. */
  imagePixels: number;
  /** Images of a request. */
  images: number;
  /** Answers of a request. */
  n: number;
  /** Tokens of an answer; also what an answer may have where the request does not say. */
  answerTokens: number;
  /** Tokens of a prompt and an answer together; the model's own limit where that is lower. */
  contextTokens: number;
  /** Stop strings, and characters of each. */
  stops: number;
  stopLength: number;
  /** Most probable tokens that can be asked for beside the chosen one. */
  topLogProbs: number;
  /** Requests that may wait for a slot; further ones are told to come again. */
  waiting: number;
  /** Bytes of a stream that its client has not taken yet; one that leaves more is cut off. */
  unreadBytes: number;
}

export const DEFAULT_LIMITS: Limits = {
  bodyBytes: 32 * 2 ** 20,
  heldBytes: 512 * 2 ** 20,
  imagePixels: 40_000_000,
  images: 16,
  n: 128,
  answerTokens: 2048,
  contextTokens: 8192,
  stops: 4,
  stopLength: 256,
  topLogProbs: 20,
  waiting: 256,
  unreadBytes: 64 * 2 ** 20,
};

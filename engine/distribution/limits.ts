/**
 * Limits of what a registry may ask of this engine. It may be slow, broken or hostile: everything that it can make long
 * or large has a bound here. Times are milliseconds, sizes bytes.
 */
export interface RegistryLimits {
  /** From a connection's place in the pool to the head of the answer. */
  answer: number;
  /** The same for an upload, at whose end a registry may have to move things. */
  uploadAnswer: number;
  /** Within this time {@link stallBytes} of a body must come, while somebody waits for them. */
  stall: number;
  stallBytes: number;
  /** Tries of one thing, the first included. */
  attempts: number;
  /** Wait before the second try; twice that before the third, and so on, as Docker does. */
  retryStep: number;
  /** A `Retry-After` beyond this is not waited for. */
  longestRetryAfter: number;
  /** No further try when nothing has come for so long: with {@link answer} and {@link stall} less than a minute. */
  patience: number;
  /** As in Docker: a manifest is small. */
  manifest: number;
  config: number;
  token: number;
  errorBody: number;
  head: number;
  /** A body that nobody needs is read up to here, so that its connection can be used again. */
  dropped: number;
  redirects: number;
  tags: number;
  tagPages: number;
  /** Pages in a row that bring no new tag. */
  emptyTagPages: number;
  /** Connections to one host, for one pull or push. */
  connections: number;
}

export const registryLimits: RegistryLimits = {
  answer: 15_000,
  uploadAnswer: 60_000,
  stall: 15_000,
  stallBytes: 1024,
  attempts: 5,
  retryStep: 5_000,
  longestRetryAfter: 20_000,
  patience: 30_000,
  manifest: 4 * 1024 * 1024,
  config: 8 * 1024 * 1024,
  token: 1024 * 1024,
  errorBody: 64 * 1024,
  head: 32 * 1024,
  dropped: 64 * 1024,
  redirects: 5,
  tags: 100_000,
  tagPages: 1000,
  emptyTagPages: 3,
  connections: 8,
};

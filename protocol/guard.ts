/**
 * Nobody stands behind what a timer, a watcher or a stream calls: what is thrown there ends the whole process. So in
 * everything that runs inside the daemon timers come from here, listeners of watchers and of foreign sockets go through
 * {@link guarded}, and a stream is {@link owned} where it is made. `test/unit/guard.test.ts` finds what does not.
 */

/** Told of what a guarded callback threw. */
export type Report = (error: unknown) => void;

const toStderr: Report = (error) => {
  process.stderr.write(`a timer or a listener failed: ${error instanceof Error ? error.stack : String(error)}\n`);
};
let report = toStderr;

/** Says where failures of guarded callbacks go, for the whole process; without it, to stderr. */
export function reportFailuresTo(listener: Report | undefined): void {
  report = listener ?? toStderr;
}

/** The same function, whose failure (or rejection) is reported and ends nothing else. */
export function guarded<A extends unknown[]>(work: (...args: A) => unknown): (...args: A) => void {
  return (...args) => {
    try {
      const result = work(...args);
      if (result instanceof Promise) result.catch((error: unknown) => report(error));
    } catch (error) {
      report(error);
    }
  };
}

/** As Node's, guarded. */
export function setTimeout(work: (nothing?: undefined) => unknown, ms?: number): NodeJS.Timeout {
  return globalThis.setTimeout(guarded(work), ms);
}

/** As Node's, guarded: a look that fails once is tried again at its next time. */
export function setInterval(work: () => unknown, ms?: number): NodeJS.Timeout {
  return globalThis.setInterval(guarded(work), ms);
}

/** As Node's, guarded. */
export function setImmediate(work: () => unknown): NodeJS.Immediate {
  return globalThis.setImmediate(guarded(work));
}

/**
 * A stream that has an owner from its first moment: an error that comes before its reader listens, or after it has left,
 * is kept by the stream for its next reader, and ends nothing.
 */
export function owned<T extends { on(event: 'error', listener: (error: Error) => void): unknown }>(stream: T): T {
  stream.on('error', () => {});
  return stream;
}

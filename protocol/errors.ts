import { goWords } from './go-words.js';

/**
 * The closed table of error classes. Everything that is thrown across a room's border is a {@link CleatError}; one
 * function maps a class to an HTTP status, and what a remote extension answers is re-classed in one place.
 */

/** Each class with the HTTP status that the Engine API answers with (source: moby `daemon/server/httpstatus`). */
export const errorStatus = {
  NotModified: 304,
  InvalidParameter: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  Conflict: 409,
  Gone: 410,
  System: 500,
  DeadlineExceeded: 500,
  Cancelled: 500,
  DataLoss: 500,
  NotImplemented: 501,
  Unavailable: 503,
} as const;

export type ErrorClass = keyof typeof errorStatus;

export interface ErrorOptions {
  cause?: unknown;
  /** Machine-readable facts for the code that handles the error; never shown to a client. */
  details?: Record<string, unknown>;
}

/** Marks errors of every copy of this package: an extension may bring its own in its `node_modules`. */
const brand = Symbol.for('cleat.CleatError');

/** An error with a class. `message` is shown to the user as it is: one readable sentence that says what to do next. */
export class CleatError extends Error {
  readonly class: ErrorClass;
  readonly details: Record<string, unknown> | undefined;
  /** Not enumerable, so that nobody prints it. */
  declare readonly [brand]: true;

  constructor(errorClass: ErrorClass, message: string, options: ErrorOptions = {}) {
    super(goWords(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CleatError';
    this.class = errorClass;
    this.details = options.details;
    Object.defineProperty(this, brand, { value: true });
  }
}

const isPlainInstance = Function.prototype[Symbol.hasInstance];

/** `instanceof` holds for what another copy of this package made, too. A class that extends this one is its own. */
Object.defineProperty(CleatError, Symbol.hasInstance, {
  value(this: unknown, value: unknown): boolean {
    if (this !== CleatError) return isPlainInstance.call(this as typeof CleatError, value);
    return typeof value === 'object' && value !== null && brand in value;
  },
});

const of =
  (errorClass: ErrorClass) =>
  (message: string, options?: ErrorOptions): CleatError =>
    new CleatError(errorClass, message, options);

export const notModified = of('NotModified');
export const invalidParameter = of('InvalidParameter');
export const unauthorized = of('Unauthorized');
export const forbidden = of('Forbidden');
export const notFound = of('NotFound');
export const conflict = of('Conflict');
export const gone = of('Gone');
export const systemError = of('System');
export const deadlineExceeded = of('DeadlineExceeded');
export const cancelled = of('Cancelled');
export const dataLoss = of('DataLoss');
export const notImplemented = of('NotImplemented');
export const unavailable = of('Unavailable');

export function isClass(error: unknown, errorClass: ErrorClass): error is CleatError {
  return error instanceof CleatError && error.class === errorClass;
}

/** Turns anything that was thrown into a sentence. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(messageOf).join('; ');
  return goWords(error instanceof Error ? error.message : String(error));
}

/** Turns anything that was thrown into a CleatError; an unknown error becomes System and keeps its cause. */
export function asCleatError(error: unknown): CleatError {
  return error instanceof CleatError ? error : new CleatError('System', messageOf(error), { cause: error });
}

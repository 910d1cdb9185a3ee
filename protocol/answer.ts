import { CleatError, type ErrorClass, messageOf, notImplemented, systemError, unavailable } from './errors.js';
import { decode } from './json.js';
import { firstValue, parseJson } from './json-text.js';
import { type Contract, type Method, methodPath } from './kinds/kind.js';
import { readable } from './untrusted.js';

/**
 * How an answer that is not plain success travels, written once for both sides: what the server writes and what the
 * client makes of it.
 *
 * An error is `{"Err": message}` (IPAM: `Error`) with any status. Negotiated by Cleat, ignored by Docker: `Class` says
 * which of our error classes it is; the message is then shown as it is, without Docker's `VolumeDriver.Create: `.
 */
export const errorClassKey = 'Class';

/** The classes that an extension may give its errors; it cannot claim the rest (our deadlines, our authorization). */
const claimable: ReadonlySet<string> = new Set([
  'InvalidParameter',
  'Forbidden',
  'NotFound',
  'Conflict',
  'System',
  'NotImplemented',
  'Unavailable',
] satisfies ErrorClass[]);

/** An answer as a carrier brings it. */
export interface Reply {
  /** HTTP status. */
  status: number;
  text: string;
}

/**
 * The body that tells a caller of this error, for any status but 200. Docker reads `Err` there, whatever the kind's own
 * key (moby `pkg/plugins`, `callWithRetry`).
 */
export function errorBody(errorKey: Contract['errorKey'], error: unknown): Record<string, string> {
  const message = error instanceof Error ? error.message : String(error);
  const why = message || 'the extension failed without saying why';
  const body = { Err: why, [errorKey]: why };
  return error instanceof CleatError && claimable.has(error.class) ? { ...body, [errorClassKey]: error.class } : body;
}

/**
 * Reads a reply: the value in the contract's shape, or `undefined` when the extension lacks an optional method.
 * Accepts what extensions in the field send and Docker takes: keys in any case, more after the first JSON value, plain
 * text for an error; and an empty body for `{}`. As in Docker, 200 is the only status of success.
 * @throws CleatError of the class the extension said, System when it said none (message as Docker words it),
 * NotImplemented for a missing method, Unavailable for an answer that is not the protocol's. Its `details` name the
 * extension and the call; what the extension said is made fit to be shown.
 */
export function readReply(extension: string, kind: Contract, name: string, method: Method, reply: Reply): unknown {
  const call = methodPath(kind, name).slice(1);
  if (reply.status === 404 && method.optional) return undefined;
  const details = { extension, call };
  const strange = (what: string, cause?: unknown) =>
    unavailable(`plugin "${extension}" answered ${call} ${what}`, { details: { ...details, arrived: true }, cause });
  const body = readBody(reply.text);
  if (reply.status !== 200) {
    const failure = body === undefined ? undefined : remoteError(body, kind);
    if (typeof failure === 'object') throw classed(failure, `${call}: `, details);
    const text = readable(reply.text.trim());
    if (reply.status === 404) {
      throw notImplemented(`plugin "${extension}" does not implement ${call}${text ? ` (${text})` : ''}`, { details });
    }
    if (reply.status < 400) throw strange(`with status ${reply.status}, where the protocol has 200`);
    const why = text || `plugin "${extension}" answered status ${reply.status} without a message`;
    throw systemError(`${call}: ${why}`, { details });
  }
  if (body === undefined) throw strange('with something that is not a JSON object');
  const failure = remoteError(body, kind);
  if (failure === 'unreadable')
    throw strange(`in a shape that the protocol does not have: ${kind.errorKey} is no text`);
  if (failure) throw classed(failure, '', details);
  try {
    return decode(method.response, body, call);
  } catch (cause) {
    throw strange(`in a shape that the protocol does not have: ${readable(messageOf(cause), 300)}`, cause);
  }
}

/** @returns undefined for what is not a JSON object: the caller knows whether that is an error message or garbage. */
function readBody(text: string): Record<string, unknown> | undefined {
  if (/^[ \t\r\n]*$/.test(text)) return {};
  const value = firstOf(text);
  if (value === null) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

function firstOf(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    // Perhaps something follows the first value.
  }
  try {
    return parseJson(firstValue(text));
  } catch {
    return undefined;
  }
}

interface Failure {
  message: string;
  class: string | undefined;
}

/** Docker reads `Err` from a failed call of any kind, and the kind's own key from every answer. */
function remoteError(body: Record<string, unknown>, kind: Contract): Failure | 'unreadable' | undefined {
  const message = member(body, kind.errorKey) || member(body, 'Err');
  if (!message) return undefined;
  if (typeof message !== 'string') return 'unreadable';
  const errorClass = member(body, errorClassKey);
  return { message, class: typeof errorClass === 'string' ? errorClass : undefined };
}

/** If keys differ only in case, the last one counts, as in Go. */
function member(body: Record<string, unknown>, key: string): unknown {
  const folded = key.toLowerCase();
  const name = Object.keys(body).findLast((one) => one.length === key.length && one.toLowerCase() === folded);
  return name === undefined ? undefined : body[name];
}

function classed(failure: Failure, prefix: string, details: Record<string, unknown>): CleatError {
  const message = readable(failure.message);
  if (failure.class !== undefined && claimable.has(failure.class)) {
    return new CleatError(failure.class as ErrorClass, message, { details });
  }
  return systemError(prefix + message, { details });
}

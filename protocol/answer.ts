import { CleatError, type ErrorClass, notImplemented, systemError, unavailable } from './errors.js';
import { decode, parseJson } from './json.js';
import { type Kind, type Method, methodPath } from './kinds/kind.js';

/**
 * How an answer that is not plain success travels, written once for both sides: what the server writes and what the
 * client makes of it.
 *
 * An error is `{"Err": message}` (IPAM: `Error`) with any status. Negotiated by Cleat, ignored by Docker: `Class` says
 * which of our error classes it is; the message is then shown as it is, without Docker's `VolumeDriver.Create: `.
 */
export const errorClassKey = 'Class';

/** What an extension may say of its own errors; the rest (our deadlines, our authorization) is not for it to claim. */
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

/** The body that tells a caller of this error. */
export function errorBody(errorKey: Kind['errorKey'], error: unknown): Record<string, string> {
  const message = error instanceof Error ? error.message : String(error);
  const body = { [errorKey]: message || 'the extension failed without saying why' };
  return error instanceof CleatError && claimable.has(error.class) ? { ...body, [errorClassKey]: error.class } : body;
}

/**
 * What a reply means: the value in the contract's shape, or `undefined` when the extension lacks an optional method.
 * Accepts what extensions in the field send: an empty body for `{}`, plain text for an error, keys in any case.
 * @throws CleatError of the class the extension said, System when it said none (message as Docker words it),
 * NotImplemented for a missing method, Unavailable for an answer that is not the protocol's
 */
export function readReply(extension: string, kind: Kind, name: string, method: Method, reply: Reply): unknown {
  const call = methodPath(kind, name).slice(1);
  if (reply.status === 404 && method.optional) return undefined;
  const body = readBody(reply.text);
  const failure = body && remoteError(body, kind);
  if (reply.status < 200 || reply.status > 299) {
    if (failure) throw classed(failure, `${call}: `);
    const text = reply.text.trim().slice(0, 2000);
    if (reply.status === 404) {
      throw notImplemented(`plugin "${extension}" does not implement ${call}${text ? ` (${text})` : ''}`);
    }
    throw systemError(`${call}: ${text || `plugin "${extension}" answered status ${reply.status} without a message`}`);
  }
  if (failure) throw classed(failure, '');
  if (body === undefined) {
    throw unavailable(`plugin "${extension}" answered ${call} with something that is not a JSON object`, {
      details: { arrived: true },
    });
  }
  try {
    return decode(method.response, body, call);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw unavailable(`plugin "${extension}" answered ${call} in a shape that the protocol does not have: ${why}`, {
      cause,
      details: { arrived: true },
    });
  }
}

function readBody(text: string): Record<string, unknown> | undefined {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // Plain text: the caller knows from the status whether that is an error message or garbage.
    return undefined;
  }
  if (value === null) return {};
  return typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

interface Failure {
  message: string;
  class: string | undefined;
}

function remoteError(body: Record<string, unknown>, kind: Kind): Failure | undefined {
  // Docker reads `Err` from a failed call of any kind, and the kind's own key from every answer.
  const message = member(body, kind.errorKey) ?? member(body, 'Err');
  return message ? { message, class: member(body, errorClassKey) } : undefined;
}

function member(body: Record<string, unknown>, key: string): string | undefined {
  for (const [name, value] of Object.entries(body)) {
    if (name.toLowerCase() === key.toLowerCase() && typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}

function classed(failure: Failure, prefix: string): CleatError {
  if (failure.class !== undefined && claimable.has(failure.class)) {
    return new CleatError(failure.class as ErrorClass, failure.message);
  }
  return systemError(prefix + failure.message);
}

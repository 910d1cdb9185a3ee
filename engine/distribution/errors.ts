import { CleatError, type ErrorClass, isClass, messageOf } from '@cleat/protocol/errors';
import { isRecord } from '@cleat/protocol/json';
import { familiar, familiarName, type Reference } from '../content/references.js';
import { statusText } from './wording.js';

/** A registry's error answer (distribution-spec, error codes). */
export class RegistryError extends CleatError {
  /** HTTP status. */
  readonly status: number;
  /** `MANIFEST_UNKNOWN`, `DENIED`, …; empty when the body held no such thing. */
  readonly code: string;
  /** Milliseconds after which the registry wants to be asked again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, code: string, message: string, retryAfter?: number) {
    super(classOf(status, code), message);
    this.name = 'RegistryError';
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

function classOf(status: number, code: string): ErrorClass {
  if (status === 401 || code === 'UNAUTHORIZED') return 'Unauthorized';
  if (status === 404) return 'NotFound';
  return 'System';
}

/** An error answer as Docker words it: `manifest unknown: manifest unknown`. */
export function registryError(status: number, body: string, what: string, retryAfter?: number): RegistryError {
  const first = firstError(body);
  if (first) return new RegistryError(status, first.code, words(first), retryAfter);
  const plain: Record<number, string> = {
    401: 'unauthorized: authentication required',
    403: 'denied: requested access to the resource is denied',
    429: 'toomanyrequests: too many requests',
  };
  const text = plain[status];
  const code = text?.split(':')[0]?.toUpperCase() ?? '';
  return new RegistryError(
    status,
    code,
    text ?? `${what}: received unexpected HTTP status: ${statusText(status)}`,
    retryAfter,
  );
}

function words({ code, message }: { code: string; message: string }): string {
  const name = code.toLowerCase().replaceAll('_', ' ');
  return message === '' ? name : `${name}: ${message}`;
}

function firstError(body: string): { code: string; message: string } | undefined {
  try {
    const parsed: unknown = JSON.parse(body);
    if (!isRecord(parsed)) return undefined;
    const list = Array.isArray(parsed.errors) ? parsed.errors : [];
    const [first] = list.filter(isRecord);
    if (typeof first?.code === 'string') {
      return { code: first.code, message: typeof first.message === 'string' ? first.message : '' };
    }
    if (typeof parsed.details === 'string') return { code: 'UNAUTHORIZED', message: parsed.details };
    return undefined;
  } catch {
    // Not JSON: a proxy's page, for example. The status tells.
    return undefined;
  }
}

/** The text for a user when a pull fails (moby `daemon/internal/distribution/errors.go`). */
export function pullError(error: unknown, reference: Reference): unknown {
  if (isClass(error, 'Unavailable')) return new CleatError('System', messageOf(error), { cause: error });
  if (!(error instanceof RegistryError)) return error;
  const because = messageOf(error);
  switch (error.code) {
    case 'DENIED':
      return new CleatError(
        'NotFound',
        `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': ${because}`,
        { cause: error },
      );
    case 'MANIFEST_UNKNOWN':
      return new CleatError('NotFound', `manifest for ${familiar(reference)} not found: ${because}`, { cause: error });
    case 'NAME_UNKNOWN':
      return new CleatError('NotFound', `repository ${familiarName(reference)} not found: ${because}`, {
        cause: error,
      });
    default:
      return error;
  }
}

import { CleatError } from './errors.js';

/** A refusal of a request, or a failure to judge it, with the name of the one who refused. Travels with the error that the client is told, to the audit journal. */
export interface Verdict {
  /** `authorizer NAME`, `hook NAME` or `adapter NAME`. */
  readonly by: string;
  /** In the words of who refused. */
  readonly reason: string;
  /** It said no; false: it failed, and so nothing was allowed. */
  readonly denied: boolean;
}

/** For the details of an error (`ErrorOptions.details`). */
export function asDetails(verdict: Verdict): { verdict: Verdict } {
  return { verdict };
}

/** @returns undefined for an error of anybody else's */
export function verdictOf(error: unknown): Verdict | undefined {
  const found = error instanceof CleatError ? error.details?.verdict : undefined;
  if (typeof found !== 'object' || found === null) return undefined;
  const { by, reason, denied } = found as Partial<Verdict>;
  return typeof by === 'string' && typeof reason === 'string' ? { by, reason, denied: denied === true } : undefined;
}

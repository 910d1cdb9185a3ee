import { CleatError } from '@cleat/protocol/errors';

/** An extension that nobody answers for at present: it is not there, not there yet, or hangs. */
export interface Absence {
  /** Capability name, such as `VolumeDriver`. */
  readonly kind: string;
  readonly name: string;
}

/** The same error, marked so that a caller that can wait for the extension learns what to wait for, however it is wrapped. */
export function markAbsent(error: unknown, absent: Absence): unknown {
  if (!(error instanceof CleatError) || error.class === 'Cancelled') return error;
  return new CleatError(error.class, error.message, { cause: error, details: { ...error.details, absent } });
}

/** Whether something failed because an extension was absent; what an extension answered is no absence. */
export function absenceOf(error: unknown): Absence | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const absent = at instanceof CleatError ? at.details?.absent : undefined;
    if (isAbsence(absent)) return absent;
  }
  return undefined;
}

function isAbsence(value: unknown): value is Absence {
  return typeof value === 'object' && value !== null && 'kind' in value && 'name' in value;
}

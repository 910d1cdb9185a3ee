import { CleatError, isClass } from '@cleat/protocol/errors';
import type { CallResult } from './status.js';

/** How far a call came. */
export interface Progress {
  asked: boolean;
  answered: boolean;
}

/** How a call ended that threw. */
export function resultOf(error: unknown, { asked, answered }: Progress, signal: AbortSignal | undefined): CallResult {
  // An abort brings whatever reason the caller gave.
  if (signal?.aborted && error === signal.reason) return 'cancelled';
  if (isClass(error, 'DeadlineExceeded')) return 'timeout';
  if (!(error instanceof CleatError) || error.class === 'Cancelled') return 'cancelled';
  if (answered) return 'error';
  return asked ? 'unreachable' : 'blocked';
}

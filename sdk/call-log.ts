import { errorClassKey, type Reply } from '@cleat/protocol/answer';
import type { Logger } from '@cleat/protocol/log';

/** The one place where calls are logged: what failed as a warning, what went well at level debug. */
export class CallLog {
  readonly #log: Logger | undefined;

  /** @param log undefined: the caller keeps this log itself */
  constructor(log: Logger | undefined) {
    this.#log = log;
  }

  /** @param failure the answer, unless it was success, or what broke it off */
  ended(path: string, ms: number, failure: Reply | Error | undefined): void {
    if (!this.#log) return;
    const fields = { call: path.slice(1), ms: Math.round(ms * 10) / 10 };
    if (!failure) {
      this.#log.debug('answered', fields);
      return;
    }
    const { message, isOrdinary } =
      failure instanceof Error ? { message: failure.message, isOrdinary: false } : readFailure(failure);
    if (isOrdinary) this.#log.debug('answered', { ...fields, error: message });
    else this.#log.warn('a call failed', { ...fields, error: message });
  }
}

/** Ordinary is what engines ask in order to be told no: for optional methods, and for what is not there yet. */
function readFailure({ status, text }: Reply): { message: string; isOrdinary: boolean } {
  if (status === 404) return { message: 'there is no such method', isOrdinary: true };
  if (!text.startsWith('{')) return { message: text, isOrdinary: false };
  const { [errorClassKey]: errorClass, ...error } = JSON.parse(text) as Record<string, string>;
  return { message: Object.values(error).join(), isOrdinary: errorClass === 'NotFound' };
}

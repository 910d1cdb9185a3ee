import type { Source } from './source.js';
import type { ExtensionStatus } from './status.js';

/** Sees, without asking an extension that was in use, that it is no longer there. */
export class Presence {
  #goneSince: Date | undefined;

  /** Says why an extension is gone at this moment; undefined when it is there, for all we know. */
  look(source: Source): Pick<ExtensionStatus, 'state' | 'reason' | 'since'> | undefined {
    const process = source.process?.();
    if (process && process.pid === undefined) {
      const reason = source.absence?.() ?? `its process ended (${process.lastEnd}) and is started again`;
      return { state: 'unreachable', reason, since: process.since };
    }
    if (source.locate()) {
      this.#goneSince = undefined;
      return undefined;
    }
    this.#goneSince ??= new Date();
    return { state: 'unreachable', reason: 'its socket is gone', since: this.#goneSince };
  }
}

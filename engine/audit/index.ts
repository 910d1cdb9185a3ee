import { once } from 'node:events';
import type { Logger } from '@cleat/protocol/log';
import { readAudit } from './read.js';
import type { Audit } from './service.js';
import { type AuditLimits, AuditWriter } from './writer.js';

export { readAudit } from './read.js';
export type { AuditLimits } from './writer.js';

export interface AuditDeps {
  readonly directory: string;
  readonly log: Logger;
  /** Read at each request: SIGHUP changes it. Without limits nothing is recorded. */
  readonly config: { readonly audit?: AuditLimits | undefined };
  /** Finds a container by what a client calls it. */
  readonly container?: Audit['container'];
  readonly containerOfExec?: Audit['containerOfExec'];
}

/** Opens the journal; its directory is made with the first record. */
export function openAudit({ directory, log, config, ...finders }: AuditDeps): Audit & { close(): Promise<void> } {
  let limits: AuditLimits = config.audit ?? { maxBytes: 8 * 1024 * 1024, maxFiles: 8, maxAgeMs: 30 * 24 * 3_600_000 };
  // Records that were noted before it was switched off are written by the bounds that held then.
  const writer = new AuditWriter({ directory, log, limits: () => (limits = config.audit ?? limits) });
  const closing = new AbortController();
  return {
    get enabled() {
      return config.audit !== undefined;
    },
    note: (record) => writer.note(record),
    read(query, signal) {
      const end = AbortSignal.any([signal, closing.signal]);
      const more = async (): Promise<void> => {
        if (end.aborted) return;
        const over = new AbortController();
        const written = new Promise<void>((resolve) => writer.onWritten(resolve));
        // Its own end is no news.
        await Promise.race([written, once(end, 'abort', { signal: over.signal }).catch(() => {})]);
        over.abort();
      };
      const records = readAudit(directory, query, more, end);
      return (async function* () {
        await writer.flush();
        yield* records;
      })();
    },
    container: finders.container ?? (() => undefined),
    containerOfExec: finders.containerOfExec ?? (() => undefined),
    get lost() {
      return writer.lost;
    },
    async close() {
      closing.abort();
      await writer.close();
    },
  };
}

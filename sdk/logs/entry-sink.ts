import type { LogEntry } from '@cleat/protocol/log-entry';
import { LogEntryDecoder } from '@cleat/protocol/log-entry-decoder';
import type { Sink, SinkReport } from './sink.js';

/**
 * A sink that hands decoded entries to a function, in order. With a promise, the next ones come when it has settled: a
 * slow destination costs no memory. What it rejects with counts as dropped; try again yourself.
 */
export function entrySink(write: (entries: LogEntry[]) => void | Promise<void>): Sink {
  const decoder = new LogEntryDecoder();
  return {
    push(chunk) {
      const entries = decoder.push(chunk);
      return entries.length > 0 ? write(entries) : undefined;
    },
    takeReport(): SinkReport | undefined {
      const { skipped } = decoder;
      decoder.skipped = 0;
      return skipped > 0 ? { skipped, dropped: 0, reason: '' } : undefined;
    },
    get rest() {
      return decoder.rest;
    },
    close: async () => {},
  };
}

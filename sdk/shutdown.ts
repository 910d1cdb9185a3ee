import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { setTimeout } from '@cleat/protocol/guard';

/** Time for a streamed answer to end, and for a call to notice that it is abandoned. */
const promptMs = 1_000;

export interface Drained {
  /** Answers that have not left. */
  underWay: ReadonlySet<Promise<void>>;
  graceMs: number;
  /** Tells all calls to give up. */
  abandon: AbortController;
  /** Tells those that answer with streams. */
  endStreams: AbortController;
}

/**
 * Takes no more connections and lets what is under way finish. Streams are ended early, since one that follows a log
 * has no end; calls that are late are told, and those that do not listen are left behind.
 */
export async function drain(server: Server, { underWay, graceMs, abandon, endStreams }: Drained): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  const timers = [
    setTimeout(() => endStreams.abort(), Math.min(graceMs, promptMs)),
    setTimeout(() => abandon.abort(), graceMs),
  ];
  const late = pause(graceMs + promptMs, 'late' as const, { ref: false });
  // A connection that is kept may bring one more call while others finish.
  while (underWay.size > 0) {
    if ((await Promise.race([Promise.allSettled(underWay), late])) === 'late') break;
  }
  for (const timer of timers) clearTimeout(timer);
  server.closeAllConnections();
  await closed;
}

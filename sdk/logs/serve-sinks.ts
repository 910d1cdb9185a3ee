import { parentPort } from 'node:worker_threads';
import { messageOf } from '@cleat/protocol/errors';
import type { Command, Report } from './messages.js';
import type { LogDestination, Sink } from './sink.js';

/**
 * A worker thread's whole program: sinks that are spoken to by messages. Pieces for one container are taken in order,
 * those of different containers do not wait for each other.
 */
export function serveSinks<Options>(destination: LogDestination<Options>): void {
  const port = parentPort;
  if (!port) throw new Error('this module runs in a worker thread only');
  const send = (report: Report) => port.postMessage(report);
  const sinks = new Map<string, { sink: Sink; busy: Promise<void> }>();

  const push = async (id: string, sink: Sink, chunk: Uint8Array) => {
    let failure: string | undefined;
    try {
      await sink.push(chunk);
    } catch (error) {
      failure = messageOf(error);
    }
    const report = failure === undefined ? sink.takeReport() : { skipped: 0, dropped: chunk.length, reason: failure };
    send({ event: 'done', id, bytes: chunk.length, report });
  };
  const close = async (id: string, sink: Sink) => {
    let report = sink.takeReport();
    try {
      await sink.close(true);
      report ??= sink.takeReport();
    } catch (error) {
      report ??= { skipped: 0, dropped: 0, reason: messageOf(error) };
    }
    send({ event: 'closed', id, report });
  };

  port.on('message', (command: Command) => {
    const { id } = command;
    if (command.call === 'open') {
      // The options come from this destination's own check, in the main thread.
      sinks.set(id, { sink: destination.open(command.options as Options, command.rest), busy: Promise.resolve() });
      return;
    }
    const entry = sinks.get(id);
    if (!entry) return;
    const { sink } = entry;
    if (command.call === 'push') {
      entry.busy = entry.busy.then(() => push(id, sink, command.chunk));
    } else if (command.call === 'ending') {
      sink.ending?.();
    } else {
      sink.ending?.();
      sinks.delete(id);
      void entry.busy.then(() => close(id, sink));
    }
  });
}

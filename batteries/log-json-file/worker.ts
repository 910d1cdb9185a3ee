/** The worker thread of {@link SinkWorker}: sinks that are spoken to by messages. */
import { parentPort } from 'node:worker_threads';
import type { Command, Report } from './messages.js';
import { Sink } from './sink.js';

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread only');
const send = (report: Report) => port.postMessage(report);
const sinks = new Map<string, Sink>();

port.on('message', (command: Command) => {
  const { id } = command;
  if (command.call === 'open') {
    sinks.set(id, new Sink(command.options, command.rest));
    return;
  }
  const sink = sinks.get(id);
  if (command.call === 'push') {
    sink?.push(command.chunk);
    send({ event: 'done', id, bytes: command.chunk.length, report: sink?.takeReport() });
    return;
  }
  sinks.delete(id);
  const closed = sink?.close(true) ?? Promise.resolve();
  closed
    .finally(() => send({ event: 'closed', id, report: sink?.takeReport() }))
    .catch(() => {
      // Closing failed; `closed` was sent all the same.
    });
});

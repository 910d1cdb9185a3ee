/** The worker thread of {@link WorkerRunner}: a FeedRunner that is spoken to by messages. */
import { parentPort } from 'node:worker_threads';
import type { Command, Report } from './messages.js';
import { FeedRunner } from './runner.js';

const port = parentPort;
if (!port) throw new Error('this module runs in a worker thread only');
const report = (message: Report) => port.postMessage(message);

const runner = new FeedRunner({
  idle: (id, written) => report({ event: 'idle', id, written }),
  drained: (id, written) => report({ event: 'drained', id, written }),
  stalled: (id) => report({ event: 'stalled', id }),
  lost: (id, dropped) => report({ event: 'lost', id, dropped }),
  dropped: (id, at) => report({ event: 'dropped', id, at }),
  failed: (id, message) => report({ event: 'failed', id, message }),
});

port.on('message', (command: Command) => {
  switch (command.call) {
    case 'add':
      return runner.add(command.id, command.options);
    case 'settle':
      return runner.settle(command.id, command.written);
    default:
      return runner[command.call](command.id);
  }
});

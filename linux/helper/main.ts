/** The helper process: one request at a time, synchronously; whoever waits kills it when it hangs. */
import { asCleatError } from '@cleat/protocol/errors';
import { errnoOf } from '../syscall/errno.js';
import { dieWithParent } from '../syscall/process.js';
import { handlers } from './handlers.js';
import type { HelperReply, HelperRequest } from './operations.js';
import { streamIn, streamOut } from './stream-handlers.js';

function reply(message: HelperReply): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

async function handle({ operation, request }: HelperRequest): Promise<unknown> {
  // The parent sends what operations.ts says: both sides are compiled from it.
  if (operation === 'tarOut') {
    return await streamOut(request as never, (answer) => reply({ type: 'ready', answer }));
  }
  if (operation === 'tarIn') return await streamIn(request as never);
  return handlers[operation](request as never);
}

process.on('message', (message) => {
  handle(message as HelperRequest).then(
    (answer) => reply({ type: 'done', answer }),
    (cause: unknown) => {
      const error = asCleatError(cause);
      const details = { ...error.details, errno: errnoOf(error) };
      return reply({ type: 'failed', class: error.class, message: error.message, details });
    },
  );
});
// Modes are what the request or the archive says.
process.umask(0);
process.on('disconnect', () => process.exit(0));
// A path that hangs would keep an orphan for ever: `disconnect` is not seen in a system call.
dieWithParent();

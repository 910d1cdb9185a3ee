/** The helper process: one request at a time, synchronously; the waiting engine kills it when it hangs. */
import { asCleatError } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { giveMemoryBack } from '../process/rest.js';
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

const restAfterMs = 300;
let resting: NodeJS.Timeout | undefined;

/**
 * Gives memory back when no request has come for a while: 55 MB become 20. Twice, because doing it the first time
 * brings in pages that the second one does not need.
 */
function restSoon(times = 2): void {
  clearTimeout(resting);
  resting = setTimeout(() => {
    globalThis.gc?.();
    giveMemoryBack();
    if (times > 1) restSoon(times - 1);
  }, restAfterMs);
}

process.on('message', (message) => {
  clearTimeout(resting);
  void handle(message as HelperRequest)
    .then(
      (answer) => reply({ type: 'done', answer }),
      (cause: unknown) => {
        const error = asCleatError(cause);
        const details = { ...error.details, errno: errnoOf(error) };
        return reply({ type: 'failed', class: error.class, message: error.message, details });
      },
    )
    .then(() => restSoon());
});
// Modes are what the request or the archive says.
process.umask(0);
process.on('disconnect', () => process.exit(0));
// A path that hangs would keep an orphan for ever: `disconnect` is not seen in a system call.
dieWithParent();

import type { RequestContext } from '@cleat/api/index';
import { messageOf } from '@cleat/protocol/errors';
import { reportFailuresTo } from '@cleat/protocol/guard';
import type { Logger } from '@cleat/protocol/log';

/** `EX_SOFTWARE` (sysexits.h): systemd starts the engine again, and finds containers as they are. */
export const exitOfBug = 70;

/**
 * The last way out for what nobody expected. The rule:
 * - A timer, a watcher or a promise that failed is logged, and the engine goes on: it left no work of others half done.
 * - What was thrown while a request was served is logged with it, its connection ends, and the engine goes on.
 * - A failure of a system call (it has an errno's name) that came without a request is logged, and the engine goes on:
 *   a caller that waited for that stream or process gets no answer, which is what deadlines are for.
 * - Anything else is a bug in the engine's own work. Nobody knows what it left behind, and start-up is recovery: it is
 *   logged and the process ends. Containers run on.
 */
export function watchForTheUnexpected(logger: Logger, currentRequest: () => RequestContext | undefined): void {
  const fields = (error: unknown) => {
    const request = currentRequest();
    return {
      ...(request && { method: request.method, url: request.url }),
      stack: error instanceof Error ? error.stack : undefined,
    };
  };
  reportFailuresTo((error) => logger.error(`a timer or a watcher failed: ${messageOf(error)}`, fields(error)));
  process.on('unhandledRejection', (error) => {
    logger.error(`a promise failed unhandled: ${messageOf(error)}`, fields(error));
  });
  process.on('uncaughtException', (error) => {
    const verdict = judge(error, currentRequest());
    if (verdict === 'stop') {
      logger.error(`the engine stops after an unexpected error; containers run on: ${messageOf(error)}`, fields(error));
      process.exit(exitOfBug);
    }
    logger.error(`an unexpected error; the engine goes on: ${messageOf(error)}`, fields(error));
    currentRequest()?.abandon();
  });
}

/** See the rule above. */
export function judge(error: unknown, request: RequestContext | undefined): 'go on' | 'stop' {
  if (request) return 'go on';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  // An errno's name; Node's own codes (`ERR_…`) say that it was used wrongly, but for streams that ended early.
  return /^E[A-Z0-9]+$/.test(code) || code === 'ERR_STREAM_PREMATURE_CLOSE' ? 'go on' : 'stop';
}

import { resizeTerminal } from '@cleat/linux/conmon/control';
import { isClass } from '@cleat/protocol/errors';
import type { TerminalSize } from '../../streams/service.js';
import type { Context } from '../context.js';
import type { Container } from '../state/container.js';
import { notRunning } from '../steps/signal.js';

/** @throws Conflict when it does not run */
export function resizeContainer(
  context: Pick<Context, 'emit'>,
  container: Container,
  { height, width }: TerminalSize,
): void {
  const { run } = container;
  if (!run) throw notRunning(container.id);
  try {
    resizeTerminal(run.bundle, height, width);
  } catch (error) {
    throw isClass(error, 'NotFound') ? notRunning(container.id) : error;
  }
  context.emit(container, 'resize', { height: String(height), width: String(width) });
}

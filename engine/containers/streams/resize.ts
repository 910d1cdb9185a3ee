import { resizeTerminal } from '@cleat/linux/conmon/control';
import { isClass } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import { notRunning } from '../life/kill.js';
import type { Room } from '../room.js';
import type { TerminalSize } from '../service.js';

/** @throws Conflict when it does not run */
export function resizeContainer(room: Room, container: Container, { height, width }: TerminalSize): void {
  const { run } = container;
  if (!run) throw notRunning(container.id);
  try {
    resizeTerminal(run.bundle, height, width);
  } catch (error) {
    throw isClass(error, 'NotFound') ? notRunning(container.id) : error;
  }
  room.emit(container, 'resize', { height: String(height), width: String(width) });
}

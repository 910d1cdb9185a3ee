import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { notFound } from '@cleat/protocol/errors';
import { setTimeout } from '@cleat/protocol/guard';
import { errnoOf } from '../syscall/errno.js';

/**
 * conmon reads 199 bytes at a time and looks only at the first line of them. Messages of exactly that size are seen
 * one by one, however quickly they follow each other.
 */
const messageSize = 199;

/**
 * Writes to the `ctl` FIFO of a bundle or session directory. Never waits: without a reader, or with a full pipe, it
 * fails at once.
 */
function send(directory: string, message: string): void {
  let fd: number;
  try {
    fd = openSync(join(directory, 'ctl'), constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === 'ENXIO' || errno === 'ENOENT') throw notFound(`no conmon reads ${directory}/ctl`, { cause });
    throw cause;
  }
  try {
    writeSync(fd, `${message.padEnd(messageSize - 1)}\n`);
  } finally {
    closeSync(fd);
  }
}

/** conmon hands sizes on through a second FIFO, of which it again sees only the first line: leave it time for each. */
const resizePauseMs = 50;
const resizing = new Map<string, { next: string | undefined }>();

/**
 * Sets the terminal's size. Of sizes that follow each other quickly (somebody drags a window) the last one wins.
 * @throws CleatError NotFound when conmon is gone
 */
export function resizeTerminal(directory: string, height: number, width: number): void {
  const message = `1 ${height} ${width}`;
  const turn = resizing.get(directory);
  if (turn) {
    turn.next = message;
    return;
  }
  send(directory, message);
  pauseAfter(directory, { next: undefined });
}

function pauseAfter(directory: string, turn: { next: string | undefined }): void {
  resizing.set(directory, turn);
  setTimeout(() => {
    resizing.delete(directory);
    if (turn.next === undefined) return;
    try {
      send(directory, turn.next);
      pauseAfter(directory, { next: undefined });
    } catch {
      // The terminal ended meanwhile; there is nothing left to resize.
    }
  }, resizePauseMs).unref();
}

/**
 * Makes conmon close its log and open the path anew; it does so soon after, not before this returns.
 * @throws CleatError NotFound when conmon is gone
 */
export function reopenLog(directory: string): void {
  send(directory, '2 0 0');
}

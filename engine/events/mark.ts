import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '@cleat/linux/files/durable';
import { bootId } from '@cleat/linux/process/identity';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';

const whole = '-';
const holed = 'x';

/**
 * A file beside an open journal, which says in which boot of the host that is, and whether an event could not be
 * written. From what an engine left the next one sees whether events may have been told that are not on disk: the power
 * went, or the disk was full.
 */
export class OpenMark {
  readonly #path: string;
  readonly #log: Logger;
  /** Events of the engine before may be missing. */
  readonly lost: boolean;

  constructor(directory: string, log: Logger) {
    this.#path = join(directory, 'open');
    this.#log = log;
    this.lost = isLost(this.#path);
    try {
      writeFileDurably(this.#path, `${whole}${bootId()}\n`);
    } catch (error) {
      log.warn(`a loss of events will not be noticed: ${messageOf(error)}`);
    }
  }

  /** An event could not be written. In place, which needs no space. */
  noteHole(): void {
    try {
      const file = openSync(this.#path, 'r+');
      try {
        writeSync(file, holed, 0);
      } finally {
        closeSync(file);
      }
    } catch (error) {
      this.#log.debug(`the hole in the journal is not noted: ${messageOf(error)}`);
    }
  }

  /** All is on disk. @param hasHole an event could not be written */
  close(hasHole: boolean): void {
    if (!hasHole) rmSync(this.#path, { force: true });
  }
}

function isLost(path: string): boolean {
  try {
    return readFileSync(path, 'utf8') !== `${whole}${bootId()}\n`;
  } catch {
    // It was closed well.
    return false;
  }
}

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const usualMaxBytes = 8 * 1024 * 1024;
/** As of `<(…)`: it is open already, so it has a writer. */
const inherited = /^\/(dev\/fd|proc\/self\/fd)\/\d+$/;

/**
 * A file that somebody who runs the engine names. A FIFO by mistake would hold the process until somebody writes, and a
 * device may never end.
 * @throws Error as of `readFileSync`, for a FIFO, and for one that has more than `maxBytes` bytes
 */
export function readGivenFile(path: string, maxBytes = usualMaxBytes): Buffer {
  const patience = inherited.test(path) ? 0 : constants.O_NONBLOCK;
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY | patience);
  try {
    if (patience !== 0 && fstatSync(fd).isFIFO()) throw new Error(`${path} is a FIFO, not a file`);
    const parts: Buffer[] = [];
    for (let total = 0; ; ) {
      const part = Buffer.allocUnsafe(64 * 1024);
      const count = readSync(fd, part);
      if (count === 0) return Buffer.concat(parts);
      total += count;
      if (total > maxBytes) throw new Error(`${path} has more than ${maxBytes} bytes`);
      parts.push(part.subarray(0, count));
    }
  } finally {
    closeSync(fd);
  }
}

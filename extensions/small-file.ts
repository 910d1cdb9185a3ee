import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';

/** A description is some lines, a bundle of certificates some hundred kilobytes. */
const usualMaxBytes = 1024 * 1024;

/**
 * The text of a file that somebody else put there. Anything may lie under its name: a FIFO would hold the process that opens it
 * until somebody writes, a device may never end. So it is opened without waiting, and read only if it is a file of a
 * sane size.
 * @returns undefined when there is nothing of that name
 * @throws InvalidParameter for what is there and cannot be read
 */
export function readSmallFile(path: string, maxBytes = usualMaxBytes): string | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, messageOf(error));
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw unreadable(path, 'it is not a regular file');
    if (facts.size > maxBytes) throw unreadable(path, `it has more than ${maxBytes} bytes`);
    const bytes = Buffer.alloc(facts.size);
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

const unreadable = (path: string, why: string): Error => invalidParameter(`cannot read ${path}: ${why}`);

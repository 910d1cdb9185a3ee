import { readFileSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';

/** A file of the kernel's that not every kernel has; without it an empty text. @throws what reading throws otherwise */
export function readOptional(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return '';
    throw error;
  }
}

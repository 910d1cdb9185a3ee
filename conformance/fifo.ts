import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Making one takes no time; a program that does not end must not hold its caller. */
const makeTimeoutMs = 10_000;

/** A FIFO as engines make them for log drivers: only its owner opens it. @throws Error when it cannot be made */
export async function makeFifo(path: string): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', path], { timeout: makeTimeoutMs });
}

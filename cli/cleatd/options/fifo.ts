import { statSync } from 'node:fs';

/** A FIFO that nobody writes to would be waited for without end; one that is open already, as of `<(…)`, has a writer. */
export function refuseFifo(path: string): void {
  if (/^\/(dev\/fd|proc\/self\/fd)\/\d+$/.test(path)) return;
  if (statSync(path, { throwIfNoEntry: false })?.isFIFO()) throw new Error(`${path} is a FIFO, not a file`);
}

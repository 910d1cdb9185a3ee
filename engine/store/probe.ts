import { messageOf } from '@cleat/protocol/errors';
import { Base } from './base.js';

/** Reads a checkpoint to its end. Where its pages are damaged, LMDB may end the process: this one, nobody else's. */
try {
  const base = new Base(process.argv[2] ?? '');
  for (const collection of base.collections()) for (const _ of base.entries(collection));
  await base.close();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}

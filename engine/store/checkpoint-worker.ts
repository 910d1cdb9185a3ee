/** The thread that writes one checkpoint: LMDB's flushes take as long as the disk does. */
import { parentPort, workerData } from 'node:worker_threads';
import { Base, type Checkpoint } from './base.js';
import { noteSoundness } from './soundness.js';

const { path, checkpoint } = workerData as { path: string; checkpoint: Checkpoint };
const base = new Base(path);
base.write(checkpoint);
void base.close().then(() => {
  noteSoundness(path, checkpoint.start);
  parentPort?.postMessage('done');
});

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Base, Checkpoint } from './base.js';
import { noteSoundness } from './soundness.js';

const script = new URL('./checkpoint-worker.js', import.meta.url);

/** Writes a checkpoint on a thread of its own, which ends with it. Resolves when it is on disk. */
export async function writeCheckpoint(path: string, base: Base, checkpoint: Checkpoint): Promise<void> {
  // Where the sources run without having been compiled, this thread does it.
  if (!existsSync(fileURLToPath(script))) {
    base.write(checkpoint);
    return noteSoundness(path, checkpoint.start);
  }
  await new Promise<void>((resolve, reject) => {
    const worker = new Worker(script, { name: 'checkpoint', workerData: { path, checkpoint } });
    worker.once('message', () => resolve());
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('the checkpoint ended before it was written')));
  });
  base.refresh();
}

import { type BigIntStats, copyFileSync, fstatSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import type { Spare } from '../files/spare-space.js';
import { nextData } from '../syscall/files.js';

const chunkBytes = 1024 * 1024;

/**
 * Copies an open file into an empty one. Holes stay holes: an image may name a file of terabytes that is nothing else.
 * @param spare is told before anything is written
 */
export function copyContent(source: number, target: number, spare?: Spare): void {
  const stats = fstatSync(source, { bigint: true });
  if (mayHaveHoles(stats)) {
    copyData(source, target, Number(stats.size), spare);
    return;
  }
  spare?.take(Number(stats.size));
  // Through the descriptors: the kernel copies, or shares blocks where the file system can.
  copyFileSync(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`);
}

/** Or it is compressed. */
function mayHaveHoles({ blocks, size }: BigIntStats): boolean {
  return blocks * 512n < size;
}

/** A file that grows meanwhile is copied up to `size`. */
function copyData(source: number, target: number, size: number, spare: Spare | undefined): void {
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, size));
  for (let at = 0; at < size; ) {
    const data = nextData(source, at);
    if (data === undefined) break;
    const end = Math.min(data.end, size);
    for (at = data.start; at < end; ) {
      const length = readSync(source, buffer, 0, Math.min(buffer.length, end - at), at);
      // It was truncated meanwhile.
      if (length === 0) return;
      spare?.take(length);
      for (let written = 0; written < length; ) {
        written += writeSync(target, buffer, written, length - written, at + written);
      }
      at += length;
    }
  }
  ftruncateSync(target, size);
}

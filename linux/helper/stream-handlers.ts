import { closeSync, writeSync } from 'node:fs';
import { SpareSpace } from '../files/spare-space.js';
import { Root } from '../rootfs/root.js';
import { tarIn } from '../rootfs/tar-in.js';
import { tarOut } from '../rootfs/tar-out.js';
import { O_PATH } from '../syscall/files.js';
import { Bodies } from './bodies.js';
import type { StreamOperations, TarInRequest, TarOutRequest } from './operations.js';

/**
 * `tarOut`: says what is at the path, then writes the archive to stdout. Blocking writes: a reader that takes its time
 * holds up nobody but this process. Closing tells the end.
 */
export async function streamOut(
  request: TarOutRequest,
  ready: (answer: StreamOperations['tarOut']['answer']) => Promise<void>,
): Promise<Record<string, never>> {
  using root = new Root(request.root);
  await ready({ facts: root.lstat(request.path) });
  for (const piece of tarOut(root, request.path, request)) {
    for (let offset = 0; offset < piece.length; ) offset += writeSync(1, piece, offset);
  }
  closeSync(1);
  return {};
}

let bodies: Bodies | undefined;

/** `tarIn`: reads the archive from stdin, where others may follow it. */
export async function streamIn(request: TarInRequest): Promise<StreamOperations['tarIn']['answer']> {
  bodies ??= new Bodies(process.stdin as AsyncIterable<Buffer>);
  using root = new Root(request.root);
  const target = root.open(request.path, O_PATH);
  try {
    const spare = new SpareSpace(`/proc/self/fd/${target}`, request.spareOf);
    await tarIn(root, request.path, bodies.next(), request, request.spareOf ? spare : undefined);
  } finally {
    closeSync(target);
  }
  return { isReadUp: bodies.isReadUp };
}

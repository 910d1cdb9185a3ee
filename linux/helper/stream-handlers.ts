import { closeSync, writeSync } from 'node:fs';
import { Root } from '../rootfs/root.js';
import { tarIn } from '../rootfs/tar-in.js';
import { tarOut } from '../rootfs/tar-out.js';
import type { StreamOperations, TarInRequest, TarOutRequest } from './operations.js';

/** `tarOut`: says what is at the path, then writes the archive to stdout. */
export async function streamOut(
  request: TarOutRequest,
  ready: (answer: StreamOperations['tarOut']['answer']) => Promise<void>,
): Promise<Record<string, never>> {
  using root = new Root(request.root);
  await ready({ facts: root.lstat(request.path) });
  const { stream, finished } = tarOut(root, request.path, request);
  const failed = finished.catch((error: unknown) => {
    stream.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  });
  await Promise.all([failed, write(stream)]);
  return {};
}

/** Blocking writes: a reader that takes its time holds up nobody but this process. Closing tells the end. */
async function write(stream: AsyncIterable<unknown>): Promise<void> {
  for await (const chunk of stream) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('an archive consists of bytes');
    for (let offset = 0; offset < chunk.length; ) offset += writeSync(1, chunk, offset);
  }
  closeSync(1);
}

/** `tarIn`: reads the archive from stdin. */
export async function streamIn(request: TarInRequest): Promise<Record<string, never>> {
  using root = new Root(request.root);
  await tarIn(root, request.path, process.stdin, request);
  return {};
}

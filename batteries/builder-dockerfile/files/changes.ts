import { Root } from '@cleat/linux/rootfs/root';
import { tarOut } from '@cleat/linux/rootfs/tar-out';
import { Pace } from './pace.js';

/**
 * The changes of a container, as a layer: read here and not by a process of the engine, which takes longer to start
 * than most steps do.
 * @param upper overlayfs' upper directory of a container in which nothing runs
 */
export async function* changesIn(upper: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const pace = new Pace();
  using root = new Root(upper);
  let pieces: Buffer[] = [];
  let size = 0;
  for (const piece of tarOut(root, '/', { entryName: '.', bare: true, layer: { leaveOut: [] } })) {
    // It is good until the next one is asked for.
    pieces.push(Buffer.from(piece));
    size += piece.length;
    await pace.next(signal);
    if (size < 256 * 1024) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pieces);
}

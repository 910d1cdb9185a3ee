import type { FileFacts, FileType } from '@cleat/linux/rootfs/facts';

/**
 * Go's `os.FileMode`, which the `X-Docker-Container-Path-Stat` header carries: permission bits stay low, types and
 * special bits are high bits of Go's own choosing.
 */
const typeBits: Readonly<Record<FileType, number>> = {
  file: 0,
  directory: 2 ** 31,
  symlink: 2 ** 27,
  'block-device': 2 ** 26,
  'character-device': 2 ** 26 + 2 ** 21,
  fifo: 2 ** 25,
  socket: 2 ** 24,
};

export function goFileMode({ type, mode }: Pick<FileFacts, 'type' | 'mode'>): number {
  let result = (mode & 0o777) + typeBits[type];
  if (mode & 0o4000) result += 2 ** 23;
  if (mode & 0o2000) result += 2 ** 22;
  if (mode & 0o1000) result += 2 ** 20;
  return result;
}

import { constants } from 'node:fs';

/**
 * POSIX `st_mode` as Go's `os.FileMode`, which the `X-Docker-Container-Path-Stat` header carries: permission bits stay
 * low, types and special bits are high bits of Go's own choosing.
 */
const goTypes = new Map<number, number>([
  [constants.S_IFDIR, 2 ** 31],
  [constants.S_IFLNK, 2 ** 27],
  [constants.S_IFIFO, 2 ** 25],
  [constants.S_IFSOCK, 2 ** 24],
  [constants.S_IFCHR, 2 ** 26 + 2 ** 21],
  [constants.S_IFBLK, 2 ** 26],
]);

export function goFileMode(mode: number): number {
  let result = (mode & 0o777) + (goTypes.get(mode & constants.S_IFMT) ?? 0);
  if (mode & 0o4000) result += 2 ** 23;
  if (mode & 0o2000) result += 2 ** 22;
  if (mode & 0o1000) result += 2 ** 20;
  return result;
}

import { readFileSync } from 'node:fs';
import { type MountEntry, parseMountInfo } from '@cleat/protocol/mountinfo';

export { type MountEntry, parseMountInfo };

/**
 * The mounts of this process's namespace, in mount order.
 * @param prefix only those at this path or below it
 */
export function listMounts(prefix?: string): MountEntry[] {
  const entries = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (prefix === undefined || prefix === '/') return entries;
  const base = prefix.replace(/\/+$/, '');
  return entries.filter((entry) => entry.target === base || entry.target.startsWith(`${base}/`));
}

/** Whether something is mounted exactly here. */
export function isMountPoint(path: string): boolean {
  return listMounts(path).some((entry) => entry.target === path.replace(/(.)\/+$/, '$1'));
}

/**
 * The mount that a path lies on.
 * @param path absolute and without symlinks
 */
export function mountOf(path: string, entries: readonly MountEntry[] = listMounts()): MountEntry | undefined {
  const holds = ({ target }: MountEntry) => target === '/' || path === target || path.startsWith(`${target}/`);
  // If there are several at the same place, the latest lies on top.
  return entries
    .filter(holds)
    .reduce<MountEntry | undefined>(
      (best, entry) => (best && best.target.length > entry.target.length ? best : entry),
      undefined,
    );
}

import { readdirSync, statSync } from 'node:fs';

/** Which of these network namespaces, by their files, some process is in. Reads all of /proc. */
export function inhabitedNamespaces(paths: readonly string[]): Set<string> {
  const byInode = new Map(paths.flatMap((path) => inodeOf(path).map((inode) => [inode, path] as const)));
  const found = new Set<string>();
  for (const entry of byInode.size === 0 ? [] : readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const [inode] = inodeOf(`/proc/${entry}/ns/net`);
    const path = inode === undefined ? undefined : byInode.get(inode);
    if (path !== undefined) found.add(path);
  }
  return found;
}

/** None when it is gone. */
function inodeOf(path: string): number[] {
  try {
    return [statSync(path).ino];
  } catch {
    // The process ended, or the namespace was removed.
    return [];
  }
}

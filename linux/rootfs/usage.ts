import { closeSync, constants, openSync } from 'node:fs';
import { nameOf } from './names.js';
import { walk } from './walk.js';

/** Bytes in files and number of inodes at and below a path of the host, each hard-linked file once. @throws ENOENT */
export function diskUsage(path: string): { bytes: number; inodes: number } {
  const links = new Set<string>();
  let bytes = 0;
  let inodes = 0;
  const start = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    for (const { kind, stats } of walk(start, nameOf('.'))) {
      if (kind === 'after') continue;
      if (kind === 'entry') {
        if (stats.nlink > 1n) {
          const key = `${stats.dev}:${stats.ino}`;
          if (links.has(key)) continue;
          links.add(key);
        }
        bytes += Number(stats.size);
      }
      inodes++;
    }
  } finally {
    closeSync(start);
  }
  return { bytes, inodes };
}

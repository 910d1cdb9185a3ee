import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';

/** Removes what is left of containers' cgroups, in every hierarchy. @param ids of containers that do not run. */
export function removeCgroups(ids: readonly string[]): void {
  if (ids.length === 0) return;
  const wanted = new Set(ids);
  for (const found of find('/sys/fs/cgroup', wanted, 4)) removeTree(found);
}

function find(directory: string, wanted: ReadonlySet<string>, depth: number): string[] {
  if (depth === 0 || !existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const path = join(directory, entry.name);
    const id = entry.name.replace(/^.*-/, '').replace(/\.scope$/, '');
    return wanted.has(entry.name) || wanted.has(id) ? [path] : find(path, wanted, depth - 1);
  });
}

function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(join(directory, entry.name));
  }
  rmdirSync(directory);
}

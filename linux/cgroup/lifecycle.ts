import { rmdirSync } from 'node:fs';
import { errnoOf } from '../syscall/errno.js';
import { type CgroupHierarchy, cgroupDirectories, cgroupTree, hostHierarchy, readCgroupFile } from './hierarchy.js';

/** Process numbers in a cgroup and those below it; empty when it is gone. */
export function processesIn(path: string, hierarchy: CgroupHierarchy = hostHierarchy()): number[] {
  const pids = new Set<number>();
  for (const directory of cgroupDirectories(path, hierarchy).flatMap(cgroupTree)) {
    for (const line of (readCgroupFile(`${directory}/cgroup.procs`) ?? '').split('\n')) {
      // 0 is a process of a namespace that we do not see.
      if (Number(line) > 0) pids.add(Number(line));
    }
  }
  return [...pids];
}

/**
 * Removes what a container left of its cgroup, best effort: what still has processes stays.
 * @returns whether nothing is left
 */
export function removeCgroup(path: string, hierarchy: CgroupHierarchy = hostHierarchy()): boolean {
  let gone = true;
  for (const directory of cgroupDirectories(path, hierarchy).flatMap(cgroupTree)) {
    try {
      rmdirSync(directory);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') gone = false;
    }
  }
  return gone;
}

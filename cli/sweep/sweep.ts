import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unmount } from '@cleat/linux/mount/mount';
import { isMountPoint, listMounts } from '@cleat/linux/mount/mountinfo';
import { removeContents, removeTree } from '@cleat/linux/rootfs/remove';
import { messageOf } from '@cleat/protocol/errors';
import { removeCgroups } from './cgroups.js';
import { removeFirewall, removeLinks } from './network.js';
import { killProcesses } from './processes.js';
import type { EngineRoots } from './roots.js';
import { engineIdOf, holdRoots } from './running.js';

/**
 * Removes every trace of an engine that does not run: its containers, mounts, namespaces, links, firewall rules, and
 * both roots. For tests, the benchmark and people who are done with an engine. Does all it can.
 * @returns what could not be done, a sentence each.
 * @throws CleatError Conflict, and does nothing, while that engine runs
 */
export async function sweep({ dataRoot, execRoot }: EngineRoots): Promise<string[]> {
  using _roots = holdRoots({ dataRoot, execRoot });
  const failures: string[] = [];
  const step = async (what: string, work: () => void | Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failures.push(`${what}: ${messageOf(error)}`);
    }
  };
  const engineId = engineIdOf({ dataRoot, execRoot });
  const containers = directoriesIn(join(dataRoot, 'containers'));
  await step('processes', () => killProcesses({ dataRoot, execRoot }));
  await step('mounts', () => unmountAll({ dataRoot, execRoot }));
  await step('cgroups', () => removeCgroups(containers));
  if (engineId !== undefined) {
    await step('links', () => removeLinks(engineId));
    await step('firewall', () => removeFirewall(engineId));
  }
  if (failures.length > 0) return failures;
  for (const root of [dataRoot, execRoot]) {
    // A file system of its own was mounted there by somebody else, and stays, empty.
    await step(root, () => (isMountPoint(root) ? removeContents(root) : removeTree(root)));
  }
  return failures;
}

function unmountAll({ dataRoot, execRoot }: EngineRoots): void {
  for (const root of [execRoot, dataRoot]) {
    // Deepest first; a namespace file counts as a mount.
    const targets = listMounts(root).flatMap(({ target }) => (target === root ? [] : [target]));
    for (const target of targets.reverse()) unmount(target, { detach: true });
  }
}

function directoriesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { removeCgroups } from '../../../cli/sweep/cgroups.js';
import { removeFirewall, removeLinks } from '../../../cli/sweep/network.js';
import { processesOf } from '../../../cli/sweep/processes.js';
import type { Engine } from './engine.js';

/**
 * Imitates a power failure of the host, as far as this engine can tell. All processes of the engine and its containers
 * are gone at once, without a signal that they can catch; so are mounts, network namespaces, links, firewall rules and
 * control groups. The exec root was a tmpfs and is empty. The disk's contents stay: the data root and the tests' files
 * beside it. A real failure also changes the boot ID and the numbers of processes; recovery must not rely on either.
 *
 * @param staleSockets whether the plugin directory is on disk and keeps its sockets; otherwise it is a tmpfs, so empty
 */
export async function losePower(engine: Engine, { staleSockets }: { staleSockets: boolean }): Promise<void> {
  const containers = directoriesIn(join(engine.dataRoot, 'containers'));
  await engine.kill('SIGKILL');
  for (;;) {
    const left = processesOf(engine);
    if (left.length === 0) break;
    // The first process of a container is its monitor's child, and all others of it end with it.
    for (const { pid } of left) for (const one of [...childrenOf(pid), pid]) kill(one);
    await sleep(50);
  }
  for (const root of [engine.execRoot, engine.dataRoot]) {
    const targets = listMounts(`${root}/`).map(({ target }) => target);
    for (const target of targets.reverse()) unmount(target, { detach: true });
  }
  const engineId = readFileSync(join(engine.dataRoot, 'engine-id'), 'utf8').trim();
  await removeLinks(engineId);
  await removeFirewall(engineId);
  removeCgroups(containers);
  empty(engine.execRoot);
  if (!staleSockets) empty(engine.pluginDirectory);
}

/** Removes all that is in a directory. */
export function empty(directory: string): void {
  for (const name of directoriesIn(directory)) rmSync(join(directory, name), { recursive: true, force: true });
}

function directoriesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  } catch {
    // It ended meanwhile.
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

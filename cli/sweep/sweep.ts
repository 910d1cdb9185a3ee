import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { unmount } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { removeTree } from '@cleat/linux/rootfs/remove';
import { messageOf } from '@cleat/protocol/errors';
import { removeCgroups } from './cgroups.js';
import { removeFirewall, removeLinks } from './network.js';
import { holdRoots } from './running.js';

export interface EngineRoots {
  dataRoot: string;
  execRoot: string;
}

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
  // The copy in the exec root stands in for one that was damaged.
  const paths = [dataRoot, execRoot].map((root) => join(root, 'engine-id')).filter((path) => existsSync(path));
  const engineId = paths.map((path) => readFileSync(path, 'latin1').trim()).find((id) => /^[\da-f-]{36}$/.test(id));
  const containers = directoriesIn(join(dataRoot, 'containers'));
  await step('processes', () => killProcesses({ dataRoot, execRoot }));
  await step('mounts', () => unmountAll({ dataRoot, execRoot }));
  await step('cgroups', () => removeCgroups(containers));
  if (engineId !== undefined) {
    await step('links', () => removeLinks(engineId));
    await step('firewall', () => removeFirewall(engineId));
  }
  if (failures.length > 0) return failures;
  await step(dataRoot, () => removeTree(dataRoot));
  await step(execRoot, () => removeTree(execRoot));
  return failures;
}

/** What still runs in an engine's name: monitors and extensions have one of its roots on their command line. */
export function processesOf({ dataRoot, execRoot }: EngineRoots): { pid: number; command: string }[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0');
      if (!/(^|\/)(conmon|node|runc|crun)$/.test(program)) return [];
      const ours = args.some((arg) => [dataRoot, execRoot].some((root) => arg.includes(`${root}/`)));
      return ours ? [{ pid, command: [program, ...args].join(' ').trim() }] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

async function killProcesses(roots: EngineRoots): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const left = processesOf(roots);
    if (left.length === 0) return;
    // A container's first process is its monitor's child; with it the whole container ends, then the monitor.
    for (const { pid } of left) for (const child of [...childrenOf(pid), pid]) kill(child);
    await sleep(100);
  }
  throw new Error(
    `still alive: ${processesOf(roots)
      .map(({ command }) => command)
      .join('; ')}`,
  );
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

function unmountAll({ dataRoot, execRoot }: EngineRoots): void {
  for (const root of [execRoot, dataRoot]) {
    // Deepest first; a namespace file counts as a mount.
    const targets = listMounts(`${root}/`).map(({ target }) => target);
    for (const target of targets.reverse()) unmount(target, { detach: true });
  }
}

function directoriesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { messageOf } from '@cleat/protocol/errors';
import { removeCgroups } from './cgroups.js';
import { removeAround, unmountOwn } from './mounts.js';
import { removeFirewall, removeLinks } from './network.js';
import { killProcesses } from './processes.js';
import type { EngineRoots } from './roots.js';
import { engineIdOf, holdRoots } from './running.js';

/**
 * Removes every trace of an engine that does not run: its containers, mounts, namespaces, links, firewall rules, and
 * both roots. What others mounted in the roots stays. For tests, the benchmark and people who are done with an engine.
 * Does all it can.
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
  const roots = { dataRoot: real(dataRoot), execRoot: real(execRoot) };
  let foreign: string[] = [];
  await step('mounts', () => {
    foreign = unmountOwn(roots);
  });
  await step('cgroups', () => removeCgroups(containers));
  if (engineId !== undefined) {
    await step('links', () => removeLinks(engineId));
    await step('firewall', () => removeFirewall(engineId));
  }
  if (failures.length > 0) return failures;
  for (const root of [roots.dataRoot, roots.execRoot]) {
    // A file system of its own was mounted there by somebody else, and stays, empty.
    await step(root, () => removeAround(root, foreign, isMountPoint(root)));
  }
  for (const place of foreign) {
    failures.push(`${place}: the engine did not mount what is mounted there, so it stays, with all that is in it`);
  }
  return failures;
}

/** The kernel tells of mounts by real paths; symlinks may lead to a root. */
function real(root: string): string {
  return existsSync(root) ? realpathSync(root) : root;
}

function directoriesIn(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}

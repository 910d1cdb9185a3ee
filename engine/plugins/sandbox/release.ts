import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processesIn, removeCgroup } from '@cleat/linux/cgroup/lifecycle';
import { unmount, unmountAll } from '@cleat/linux/mount/mount';
import { listMounts } from '@cleat/linux/mount/mountinfo';
import { readPidFile } from '@cleat/linux/process/pid-file';
import { messageOf, systemError } from '@cleat/protocol/errors';
import { readNote } from './note.js';
import type { PluginPlaces } from './places.js';
import type { SandboxDeps } from './types.js';

export interface ReleaseRequest {
  readonly places: PluginPlaces;
  /** The runtime of the present settings; what an engine before this one chose is in its note. */
  readonly runtime: string;
  readonly cgroup: string;
  /** Nothing of the plugin is to run again for now: all that it mounted for others goes, too, and what it printed. */
  readonly forGood: boolean;
}

/**
 * Takes away everything that a run of a plugin left on the host, by what is there: also after a launch that failed, or an
 * engine that was killed, at any step. Does all it can, reports every failure, and may be repeated.
 */
export async function releaseSandbox(
  deps: Pick<SandboxDeps, 'runtimes' | 'network' | 'log'>,
  { places, runtime, cgroup, forGood }: ReleaseRequest,
): Promise<void> {
  const { id } = places;
  const attempt = async (what: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work();
    } catch (error) {
      deps.log.warn(`${what} failed while clearing up behind a plugin`, { plugin: id, error: messageOf(error) });
    }
  };
  const note = readNote(places.note);
  await attempt('ending its monitor', () => endMonitor(places));
  for (const name of new Set([note?.runtime ?? runtime, runtime])) {
    await attempt('deleting what the runtime keeps', async () => {
      if (existsSync(join(places.runtimeRoot(name), id))) await deps.runtimes.get(name).delete(id, { force: true });
    });
  }
  for (const path of new Set([note?.cgroup ?? cgroup, cgroup])) {
    await attempt('removing the control group', () => emptyCgroup(path));
  }
  await attempt('leaving its network', () => deps.network.detach(id));
  await attempt('unmounting the root file system', () => {
    // Nothing can be mounted where there is no directory; the kernel's list of mounts may be long.
    for (const path of [places.rootfs, places.sockets, places.logging]) if (existsSync(path)) unmountAll(path);
  });
  await attempt('unmounting what it mounted', () => unmountPropagated(places, forGood));
  await attempt('removing the bundle', () => removeBundle(places, forGood));
}

/**
 * A conmon that waits for a runtime that is creating the plugin would go on creating it behind our back. It ends by itself when the
 * plugin does.
 */
function endMonitor({ id, note, conmonPidFile }: PluginPlaces): void {
  const pid = readPidFile(conmonPidFile);
  if (pid === undefined || readNote(note)) return;
  // Its number may have been given to another one since.
  const [program = '', ...args] = commandLine(pid);
  if (!program.endsWith('conmon') || args[args.indexOf('--cid') + 1] !== id) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it has just ended.
  }
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // No such process.
    return [];
  }
}

/** A plugin that shares the host's processes leaves its children behind, a create that was killed its container. */
async function emptyCgroup(path: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (removeCgroup(path)) return;
    for (const pid of processesIn(path)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // ESRCH: it has just ended.
      }
    }
    await sleep(20);
  }
  throw systemError(`the control group ${path} cannot be removed: a process in it does not end`);
}

/**
 * When it is started again, only what nobody can use: a FUSE file system whose server has ended. What else it mounted
 * for containers works on, and a plugin that remembers it may answer with it.
 */
function unmountPropagated({ propagated }: PluginPlaces, forGood: boolean): void {
  if (!existsSync(propagated)) return;
  if (forGood) {
    unmountAll(propagated);
    return;
  }
  for (const { target, type } of listMounts(propagated).reverse()) {
    if (target !== propagated && /^fuse(\.|blk|$)/.test(type)) unmount(target);
  }
}

/** The files of a bundle that a plugin keeps when it is started again. */
const kept = new Set(['id', 'output']);

/** Never what is still mounted: `rmdir` fails on a mount point. */
function removeBundle(places: PluginPlaces, forGood: boolean): void {
  const { bundle } = places;
  if (!existsSync(bundle)) return;
  for (const path of [places.rootfs, places.sockets, places.logging]) if (existsSync(path)) rmdirSync(path);
  for (const name of readdirSync(bundle)) {
    if (!forGood && kept.has(name)) continue;
    rmSync(join(bundle, name), { recursive: true, force: true });
  }
  if (forGood) rmdirSync(bundle);
}

import { constants } from 'node:fs';
import { join } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { findCommand } from '@cleat/linux/host';
import { isMountPoint } from '@cleat/linux/mount/mountinfo';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { run } from '@cleat/linux/process/run';
import { invalidParameter, messageOf, unavailable } from '@cleat/protocol/errors';
import type { RuntimeConfig } from '../../config.js';
import { ownFilesFor } from '../../oci/own-files.js';
import { openedInRoot } from '../../oci/rootfs-files.js';
import type { PluginPlaces } from './places.js';
import { writePlugin } from './prepare.js';
import type { SandboxedPlugin } from './types.js';

const deadlineMs = 10_000;

/**
 * A plugin that is an OCI runtime has no process of its own: its root file system is mounted, read-only, and its entry
 * point is run on the host for each container, as any runtime is, with all rights of root. It must run there: it is
 * static, or a script, or goes with the host's libraries. It may be mounted already.
 */
export function mountRuntime(places: PluginPlaces, plugin: SandboxedPlugin): void {
  const { rootfs, ownFiles } = places;
  writePlugin(places);
  makeDirectories(ownFiles, 0o711);
  makeDirectories(rootfs, 0o711);
  if (isMountPoint(rootfs)) return;
  // A mount without an upper layer takes two lower ones at least.
  const own = join(ownFiles, ownFilesFor(ownFiles, plugin.layers));
  mountOverlay({ lower: [...new Set(plugin.layers), own], target: rootfs });
}

/**
 * The command, on this host. What links in its files lead to is looked for in there.
 * @throws InvalidParameter when there is no such program
 */
export function runtimeOf({ rootfs }: PluginPlaces, { manifest, settings }: SandboxedPlugin): RuntimeConfig {
  const [program = '', ...fixed] = manifest.Entrypoint ?? [];
  const found = program.startsWith('/')
    ? openedInRoot(rootfs, program, (stats, _, real) => ({ real, fits: stats.isFile() && isExecutable(stats.mode) }))
    : undefined;
  if (!found?.fits) throw invalidParameter(`the plugin has no runtime: its Entrypoint ${program} is no program in it`);
  const command = [join(rootfs, found.real), ...fixed, ...settings.Args];
  // Runtimes of the host get the engine's variables; these are added to them.
  if (settings.Env.length > 0) command.unshift(findCommand('env') ?? '/usr/bin/env', ...settings.Env);
  const [path = '', ...runtimeArgs] = command;
  return { path, runtimeArgs };
}

const isExecutable = (mode: number): boolean =>
  (mode & (constants.S_IXUSR | constants.S_IXGRP | constants.S_IXOTH)) !== 0;

/** Every runtime tells its version. @throws Unavailable with what it said instead */
export async function checkRuntime({ path, runtimeArgs = [] }: RuntimeConfig): Promise<void> {
  const said = await run(path, [...runtimeArgs, '--version'], { deadlineMs }).catch((error: unknown) => ({
    code: 1,
    stdout: '',
    stderr: messageOf(error),
  }));
  if (said.code === 0) return;
  throw unavailable(
    `the plugin's runtime does not run on this host: ${(said.stderr || said.stdout).trim().slice(-2000)}`,
  );
}

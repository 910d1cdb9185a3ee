import { mountOf } from '@cleat/linux/mount/mountinfo';
import { isClass } from '@cleat/protocol/errors';
import type { OciMount } from '../../oci/types.js';
import type { Context } from '../context.js';
import type { BindSource } from '../oci-spec/mounts.js';
import type { ContainerRecord } from '../state/record.js';

const kept = new Set(['ro', 'nosuid', 'nodev', 'noexec', 'noatime', 'nodiratime', 'relatime']);

/**
 * A bind mount keeps the flags of the mount that its source lies on: a read-only or `nosuid` one stays so. The kernel
 * has it so, and so does runc, which changes a bind only where it is told to; crun sets exactly the flags that it is
 * told.
 */
export async function keepSourceFlags(
  context: Pick<Context, 'helper' | 'runtimes'>,
  { mounts: own, runtime }: ContainerRecord,
  mounts: readonly OciMount[],
  sources: ReadonlyMap<string, BindSource>,
  signal: AbortSignal,
): Promise<void> {
  if (!context.runtimes.resetsFlags(runtime)) return;
  const users = new Set(own.map(({ destination }) => destination));
  const concerned = mounts.filter(({ type, destination }) => {
    // The other sources lie in directories of the engine.
    return type === 'bind' && (users.has(destination) || destination === '/dev/shm');
  });
  await Promise.all(
    concerned.map(async (mount) => {
      const source = sources.get(mount.destination);
      if (mount.options.includes('rro') && !(await isDirectory(context, mount.source, signal))) {
        // Nothing is mounted below a file, and crun opens what it is to go through as a directory.
        mount.options = mount.options.filter((option) => option !== 'rro');
      }
      const flags =
        source !== undefined && 'named' in source
          ? await namedFlags(context, source.named, signal)
          : (mountOf(mount.source)?.options ?? []);
      mount.options.push(...flags.filter((flag) => kept.has(flag)));
    }),
  );
}

async function isDirectory(context: Pick<Context, 'helper'>, path: string, signal: AbortSignal): Promise<boolean> {
  try {
    return (await context.helper.call('stat', { path, follow: true }, { signal })).type === 'directory';
  } catch (error) {
    if (isClass(error, 'NotFound')) return true;
    throw error;
  }
}

/** The runtime reports a source that is not there. */
async function namedFlags(context: Pick<Context, 'helper'>, path: string, signal: AbortSignal): Promise<string[]> {
  try {
    return (await context.helper.call('mountOf', { path }, { signal })).options;
  } catch (error) {
    if (isClass(error, 'NotFound')) return [];
    throw error;
  }
}

import { randomBytes } from 'node:crypto';
import { rmdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { unmount } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import type { RootOf } from '@cleat/linux/rootfs/root';
import { newId } from '../../ids.js';
import { remapOf } from '../../oci/remap.js';
import type { Context } from '../context.js';
import { rootOf } from '../root-of.js';
import type { Container } from '../state/container.js';
import type { MountRecord } from '../state/record.js';
import { mountImage } from '../steps/mount-image.js';
import { volumeUse } from '../volume-use.js';
import { containerLayers } from '../writable-layer.js';

/** A container's files for a while, whether it runs or not. */
export interface RootAccess extends AsyncDisposable {
  /** The directory that a helper is to take as the root. */
  readonly directory: RootOf;
  /** The root file system itself, for /etc/passwd. */
  readonly files: string;
  /** Where volumes and binds are seen in `directory`; undefined: nothing else is mounted there. */
  readonly mounts: readonly string[] | undefined;
  /** A container's path as a path inside `directory`. */
  inside(path: string): string;
}

interface RootOptions {
  /** The root file system alone. */
  readonly withoutMounts?: boolean;
}

/**
 * While it runs, its first process's root shows its volumes, too. Otherwise its root file system is mounted for the
 * occasion, and a path that lies in one of its volumes or binds is looked up there instead.
 */
export async function openRoot(
  context: Context,
  container: Container,
  path: string,
  options: RootOptions = {},
): Promise<RootAccess> {
  const running = () =>
    container.running && container.record.state.pid > 0 ? rootOfRunning(context, container, options) : undefined;
  const root = running();
  if (root) return root;
  // Two mounts of one upper directory corrupt it: the container must not start, nor be looked into twice, meanwhile.
  const unlock = await container.lock.acquire();
  const releases: (() => Promise<void> | void)[] = [unlock];
  try {
    container.checkKept();
    // Somebody may have started it, too, while this waited.
    const started = running();
    if (started) {
      unlock();
      return started;
    }
    const files = await mountFiles(context, container);
    releases.unshift(files.release);
    const mount = options.withoutMounts ? undefined : mountOf(container.record.mounts, posix.normalize(`/${path}`));
    if (!mount || mount.type === 'tmpfs') return access(files.directory, files.directory, (inner) => inner, releases);
    const source = await mountSource(context, container, mount.destination, files.directory);
    releases.unshift(source.release);
    const relative = (inner: string): string => {
      const rest = posix.normalize(`/${inner}`).slice(mount.destination.length) || '/';
      // The end of the path says whether the directory or its content is meant.
      return inner.endsWith('/.') ? `${rest}/.` : rest;
    };
    return access(source.directory, files.directory, relative, releases);
  } catch (error) {
    for (const release of releases) await release();
    throw error;
  }
}

function rootOfRunning(
  context: Pick<Context, 'paths'>,
  { record }: Container,
  { withoutMounts }: RootOptions,
): RootAccess {
  const files = context.paths.rootfs(record.id);
  if (withoutMounts) return access(files, files, (inner) => inner, []);
  const mounts = record.mounts.map(({ destination }) => destination);
  return access(rootOf(record), files, (inner) => inner, [], mounts);
}

function access(
  directory: RootOf,
  files: string,
  inside: (path: string) => string,
  releases: readonly (() => Promise<void> | void)[],
  mounts?: readonly string[],
): RootAccess {
  let released: Promise<void> | undefined;
  const release = async () => {
    for (const each of releases) await each();
  };
  return {
    directory,
    files,
    mounts,
    inside,
    [Symbol.asyncDispose]() {
      released ??= release();
      return released;
    },
  };
}

/** Its root file system, without what is mounted into it, while it does not run. */
export async function mountFiles(
  context: Pick<Context, 'config' | 'images' | 'log' | 'paths'>,
  { record }: Pick<Container, 'record'>,
): Promise<{ directory: string; release: () => Promise<void> }> {
  const layers = containerLayers(context, record);
  const directory = join(context.paths.archives(), randomBytes(6).toString('hex'));
  makeDirectories(directory, 0o710);
  try {
    mountOverlay({ ...layers, target: directory });
  } catch (error) {
    await rmdir(directory);
    throw error;
  }
  return {
    directory,
    async release() {
      try {
        unmount(directory, { detach: true });
        await rmdir(directory);
      } catch (error) {
        // The next start of the engine removes it; the caller has what it wanted.
        context.log.warn('could not take down a temporary mount', { directory, error: String(error) });
      }
    },
  };
}

/** The host directory behind a volume, a bind or an image of a container that does not run. */
async function mountSource(
  context: Pick<Context, 'config' | 'helper' | 'images' | 'log' | 'paths' | 'volumes'>,
  container: Container,
  destination: string,
  rootfs: string,
): Promise<{ directory: string; release: () => Promise<void> }> {
  const mount = container.record.mounts.find((candidate) => candidate.destination === destination);
  if (mount?.type === 'image') {
    makeDirectories(context.paths.archives(), 0o710);
    const at = join(context.paths.archives(), randomBytes(6).toString('hex'));
    const remap = remapOf(context.config, container.record.hostConfig);
    const source = await mountImage(context, mount, at, remap !== undefined);
    return { directory: source.path, release: async () => source[Symbol.dispose]() };
  }
  if (mount?.type !== 'volume') {
    return { directory: mount?.source ?? '', release: async () => {} };
  }
  const { name } = mount;
  const use = volumeUse(context, container, newId(), { ...mount, readOnly: !mount.rw, rootfs });
  const { source } = await context.volumes.mount(name, use);
  return {
    directory: source.path,
    release: async () => {
      source[Symbol.dispose]();
      await context.volumes.unmount(use).catch((error: unknown) => {
        context.log.warn('could not unmount a volume', { volume: name, error: String(error) });
      });
    },
  };
}

/** The mount that a clean, absolute path lies in: the one that is nearest to it. */
export function mountOf(mounts: readonly MountRecord[], path: string): MountRecord | undefined {
  return mounts
    .filter(({ destination }) => path === destination || path.startsWith(`${destination}/`))
    .sort((a, b) => b.destination.length - a.destination.length)[0];
}

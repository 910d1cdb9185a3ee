import { randomBytes } from 'node:crypto';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { Helper } from '@cleat/linux/helper/helper';
import { unmount, unmountAll } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import { messageOf } from '@cleat/protocol/errors';
import type { Logger } from '@cleat/protocol/log';
import type { Containers } from '../containers/service.js';
import type { ImageHost } from '../images/service.js';

interface Deps {
  readonly containers: Containers;
  readonly images: ImageHost;
  readonly helper: Helper;
  readonly log: Logger;
  /** Where images are mounted meanwhile. */
  readonly directory: string;
}

/** The files of an image as one tar, as its layers say; a container of it, which never starts, keeps it from going. */
export async function rootfsOf(deps: Deps, image: string, signal: AbortSignal): Promise<Readable> {
  const { containers, images, helper, log, directory } = deps;
  signal.throwIfAborted();
  const { Id } = await containers.create(
    { Image: image, Cmd: ['-'], HostConfig: { NetworkMode: 'none' } },
    // With this the next engine removes what one that was killed has left.
    { builder: '' },
  );
  const name = randomBytes(6).toString('hex');
  const at = join(directory, name);
  const release = async (): Promise<void> => {
    try {
      await takeDown(at);
    } catch (error) {
      // The next start of the engine removes it.
      log.warn(`a mount of an image remains: ${messageOf(error)}`, { path: at });
    }
    // It is on record as a build's, so that a failure now is made up for at the next start.
    await containers.remove(Id, { force: true, volumes: true, link: false }).catch(() => {});
  };
  try {
    makeDirectories(directory, 0o700);
    const empty = [join(directory, 'empty'), join(directory, 'empty-too')];
    for (const path of [at, ...empty]) makeDirectories(path, 0o755);
    // The kernel takes no directory twice, and two at least.
    mountOverlay({ lower: [...new Set(images.layerPaths(images.resolve(image).id)), ...empty], target: at });
    const { stream } = await helper.tarOut({ root: at, path: '/', entryName: '.', bare: true }, { signal });
    const onAbort = () => stream.destroy(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stream.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      void release();
    });
    return stream;
  } catch (error) {
    await release();
    throw error;
  }
}

async function takeDown(at: string): Promise<void> {
  unmount(at, { detach: true });
  await rmdir(at);
}

/** Removes mounts that an earlier engine left. */
export async function removeRoots(directory: string): Promise<void> {
  makeDirectories(directory, 0o700);
  unmountAll(directory);
  for (const name of await readdir(directory)) await rmdir(join(directory, name));
}

import type { Readable } from 'node:stream';
import { owned } from '@cleat/protocol/guard';
import type { Containers } from '../containers/service.js';

/** The files of an image as one tar: those of a container of it, which goes when they were read. */
export async function rootfsOf(containers: Containers, image: string, signal: AbortSignal): Promise<Readable> {
  signal.throwIfAborted();
  const { Id } = await containers.create(
    { Image: image, Cmd: ['-'], HostConfig: { NetworkMode: 'none' } },
    // With this the next engine removes what one that was killed has left.
    { builder: '' },
  );
  const remove = () => containers.remove(Id, { force: true, volumes: true, link: false }).catch(() => {});
  try {
    const tar = owned(await containers.export(Id));
    const onAbort = () => tar.destroy(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    tar.once('close', () => {
      signal.removeEventListener('abort', onAbort);
      // It is on record as a build's, so that a failure now is made up for at the next start.
      void remove();
    });
    return tar;
  } catch (error) {
    await remove();
    throw error;
  }
}

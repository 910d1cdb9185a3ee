import { mkdir } from 'node:fs/promises';
import { systemError } from '@cleat/protocol/errors';
import type { Container } from '../container.js';
import type { Room } from '../room.js';
import type { CommitContainerOptions } from '../service.js';
import { mountPoints } from './changes.js';

/**
 * `docker commit`: an image of the container's own changes on top of its image. What is mounted into it stays out. A
 * running container is paused meanwhile, unless told otherwise, so that no file is caught half-written.
 */
export async function commitContainer(
  room: Room,
  container: Container,
  options: CommitContainerOptions,
): Promise<{ Id: string }> {
  const { record } = container;
  const { Hostname: _hostname, Domainname: _domain, ...own } = record.config;
  const config = { ...own, Hostname: '', Domainname: '' };
  // A container that never started has written nothing yet.
  await mkdir(room.paths.upper(record.id), { recursive: true, mode: 0o755 });
  const runtime = room.runtimes.get(record.runtime);
  const freeze = options.pause && record.state.status === 'running';
  if (freeze) await runtime.pause(record.id);
  try {
    const image = await room.images.commit({
      parent: record.imageId,
      layer: async () => {
        const { stream } = await room.helper.tarOut({
          root: room.paths.upper(record.id),
          path: '/',
          entryName: '.',
          bare: true,
          layer: { leaveOut: [...mountPoints].map((path) => path.slice(1)) },
        });
        return stream;
      },
      config,
      changes: options.changes,
      repository: options.repository,
      tag: options.tag,
      comment: options.comment,
      author: options.author,
      createdBy: [record.path, ...record.args].join(' '),
    });
    const { Id, reference } = image;
    room.emit(container, 'commit', { comment: options.comment, imageID: Id, imageRef: reference });
    return { Id };
  } finally {
    if (freeze) {
      await runtime.resume(record.id).catch((cause: unknown) => {
        throw systemError(`the image was made, but container ${record.id} could not be resumed: use docker unpause`, {
          cause,
        });
      });
    }
  }
}

import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { Container } from '../container.js';
import { whileFrozen } from '../life/freeze.js';
import type { Room } from '../room.js';
import type { CommitContainerOptions } from '../service.js';
import { asList } from '../spec/process.js';
import { mountPoints } from './changes.js';
import { committedConfig } from './commit-config.js';

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
  const config = committedConfig(record.config, options);
  const isLayered = existsSync(room.paths.ownFiles(record.id));
  // A container that never started has written nothing yet.
  await mkdir(room.paths.upper(record.id), { recursive: true, mode: 0o755 });
  const make = async (): Promise<{ Id: string }> => {
    const image = await room.images.commit({
      parent: record.imageId,
      layer: async () => {
        const { stream } = await room.helper.tarOut({
          root: room.paths.upper(record.id),
          path: '/',
          entryName: '.',
          bare: true,
          layer: { leaveOut: isLayered ? [] : [...mountPoints].map((path) => path.slice(1)) },
        });
        return stream;
      },
      config,
      repository: options.repository,
      tag: options.tag,
      comment: options.comment,
      author: options.author,
      createdBy: asList(record.config.Cmd).join(' '),
    });
    const { Id, reference } = image;
    room.emit(container, 'commit', { comment: options.comment, imageID: Id, imageRef: reference });
    return { Id };
  };
  return options.pause && record.state.status === 'running' ? await whileFrozen(room, container, make) : await make();
}

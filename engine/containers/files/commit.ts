import { existsSync } from 'node:fs';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { conflict } from '@cleat/protocol/errors';
import { applyChanges } from '../../images/changes/index.js';
import type { Context } from '../context.js';
import { asList } from '../oci-spec/process.js';
import type { CommitContainerOptions } from '../service.js';
import type { Container } from '../state/container.js';
import { isDoomed } from '../state/life.js';
import { whileFrozen } from '../steps/freeze.js';
import { mountPoints } from './changes.js';
import { committedConfig } from './commit-config.js';

/**
 * `docker commit`: an image of the container's own changes on top of its image. What is mounted into it stays out. A
 * running container is paused meanwhile, unless told otherwise, so that no file is caught half-written.
 */
export async function commitContainer(
  context: Context,
  container: Container,
  options: CommitContainerOptions,
): Promise<{ Id: string }> {
  const { record } = container;
  if (isDoomed(record.state)) {
    const how = record.state.status === 'dead' ? 'Dead' : 'being removed';
    throw conflict(`You cannot commit container ${record.id} which is ${how}`);
  }
  const { builder, createdBy, created } = options;
  // A builder says all of it: what ran in a container is not what its image is to run.
  const config =
    builder !== undefined && options.config
      ? applyChanges(options.config, options.changes)
      : committedConfig(record.config, options);
  const isLayered = existsSync(context.paths.ownFiles(record.id));
  // A container that never started has written nothing yet.
  makeDirectories(context.paths.upper(record.id), 0o755);
  const make = async (): Promise<{ Id: string }> => {
    const image = await context.images.commit({
      parent: record.imageId,
      layer: async () => {
        const { stream } = await context.helper.tarOut({
          root: context.paths.upper(record.id),
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
      createdBy: (builder !== undefined && createdBy) || asList(record.config.Cmd).join(' '),
      ...(builder !== undefined && { builder, ...(created && { created }) }),
    });
    const { Id, reference } = image;
    if (builder === undefined)
      context.emit(container, 'commit', { comment: options.comment, imageID: Id, imageRef: reference });
    return { Id };
  };
  return options.pause && record.state.status === 'running'
    ? await whileFrozen(context, container, make)
    : await make();
}

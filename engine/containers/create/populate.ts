import { CleatError, messageOf } from '@cleat/protocol/errors';
import { newId } from '../../ids.js';
import type { Container } from '../container.js';
import { mountFiles } from '../files/root-access.js';
import type { MountRecord } from '../record.js';
import type { Room } from '../room.js';
import { statInRoot } from '../spec/rootfs-files.js';
import { volumeUse } from '../volume-use.js';

type Made = Pick<Container, 'id' | 'record'>;

/**
 * An empty volume gets what the image has at its destination, with owner and mode of that directory: once, when the
 * container is made, as in Docker. So a container that never runs can lend its data (`--volumes-from`), what is copied
 * into it before its first start adds to the image's files, and what was deleted stays away.
 * @throws `failed to populate volume: …`
 */
export async function populateVolumes(room: Room, container: Made): Promise<void> {
  const wanted = container.record.mounts.filter(({ type, noCopy }) => type === 'volume' && !noCopy);
  if (wanted.length === 0) return;
  const files = await mountFiles(room, container);
  try {
    // One after the other: of two mounts of one volume, the second does not find it empty.
    for (const mount of wanted) {
      if (hasContent(files.directory, mount.destination)) await populate(room, container, files.directory, mount);
    }
  } catch (error) {
    const errorClass = error instanceof CleatError ? error.class : 'System';
    // Clients take a 404 for the image's, and would go and pull one.
    const shown = errorClass === 'NotFound' ? 'System' : errorClass;
    throw new CleatError(shown, `failed to populate volume: ${messageOf(error)}`, { cause: error });
  } finally {
    await files.release();
  }
}

/** Looking into the image is cheap and ours. An empty directory like any other is nothing to trouble a driver for. */
function hasContent(rootfs: string, path: string): boolean {
  const found = statInRoot(rootfs, path);
  if (!found?.directory) return false;
  return !(found.empty && found.uid === 0 && found.gid === 0 && found.mode === 0o755);
}

/** The volume is the driver's: helpers look at it and touch it. */
async function populate(room: Room, container: Made, rootfs: string, mount: MountRecord): Promise<void> {
  const name = mount.name ?? '';
  const use = volumeUse(room, container, newId(), { ...mount, readOnly: !mount.rw, rootfs });
  const { source } = await room.volumes.mount(name, use);
  try {
    const { empty } = await room.helper.call('isEmpty', { path: source.path });
    if (!empty) return;
    await room.helper.call('copyDirectory', {
      root: rootfs,
      path: mount.destination,
      destination: source.path,
      spareOf: room.config.dataRoot,
    });
  } finally {
    source[Symbol.dispose]();
    await room.volumes.unmount(use).catch((error: unknown) => {
      room.log.warn('could not unmount a volume', { volume: name, error: messageOf(error) });
    });
  }
}

import { CleatError, messageOf } from '@cleat/protocol/errors';
import { newId } from '../../ids.js';
import { remapOf, rootOwner } from '../../oci/remap.js';
import { statInRoot } from '../../oci/rootfs-files.js';
import type { Context } from '../context.js';
import { mountFiles } from '../files/root-access.js';
import type { Container } from '../state/container.js';
import { isVolume, type VolumeMount } from '../state/record.js';
import { volumeUse } from '../volume-use.js';

type Made = Pick<Container, 'id' | 'record'>;

/**
 * An empty volume gets what the image has at its destination, with owner and mode of that directory: once, when the
 * container is made, as in Docker. So a container that never runs can lend its data (`--volumes-from`), what is copied
 * into it before its first start adds to the image's files, and what was deleted stays away.
 * @throws `failed to populate volume: …`
 */
export async function populateVolumes(context: Context, container: Made): Promise<void> {
  const wanted = container.record.mounts.filter(isVolume).filter(({ noCopy }) => !noCopy);
  if (wanted.length === 0) return;
  const files = await mountFiles(context, container);
  try {
    // One after the other: of two mounts of one volume, the second does not find it empty.
    for (const mount of wanted) {
      if (
        hasContent(files.directory, mount.destination, rootOwner(remapOf(context.config, container.record.hostConfig)))
      )
        await populate(context, container, files.directory, mount);
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
function hasContent(rootfs: string, path: string, root: { uid: number; gid: number }): boolean {
  const found = statInRoot(rootfs, path);
  if (!found?.directory) return false;
  return !(found.empty && found.uid === root.uid && found.gid === root.gid && found.mode === 0o755);
}

/** The volume is the driver's: helpers look at it and touch it. */
async function populate(context: Context, container: Made, rootfs: string, mount: VolumeMount): Promise<void> {
  const { name } = mount;
  const use = volumeUse(context, container, newId(), { ...mount, readOnly: !mount.rw, rootfs });
  const { source } = await context.volumes.mount(name, use);
  try {
    const { empty } = await context.helper.call('isEmpty', { path: source.path });
    if (!empty) return;
    await context.helper.call('copyDirectory', {
      root: rootfs,
      path: mount.destination,
      destination: source.path,
      spareOf: context.config.dataRoot,
    });
  } finally {
    source[Symbol.dispose]();
    await context.volumes.unmount(use).catch((error: unknown) => {
      context.log.warn('could not unmount a volume', { volume: name, error: messageOf(error) });
    });
  }
}

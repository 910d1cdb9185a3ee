import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { HeldPath } from '@cleat/linux/helper/held-path';
import { isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { abortable } from '../../async/abortable.js';
import { newId } from '../../ids.js';
import { remapOf, rootOwner } from '../../oci/remap.js';
import type { HeldVolume } from '../../volumes/service.js';
import type { Context } from '../context.js';
import type { BindSource } from '../oci-spec/mounts.js';
import type { Container } from '../state/container.js';
import type { RunRecord } from '../state/life.js';
import { type BindMount, isVolume, type VolumeMount } from '../state/record.js';
import { volumeUse } from '../volume-use.js';
import { mountImage } from './mount-image.js';

/**
 * Makes the sources of all mounts ready: volumes are mounted by their drivers (all at once), missing bind sources
 * made. Paths are the user's and the drivers': only helpers and the runtime touch them.
 * @returns the sources of the bind mounts by destination; the caller releases what is held
 */
export async function prepareMounts(
  context: Context,
  container: Container,
  run: RunRecord,
  signal: AbortSignal,
): Promise<Map<string, BindSource>> {
  const paths = new Map<string, BindSource>();
  const remap = remapOf(context.config, container.record.hostConfig);
  if (container.record.mounts.some(({ type }) => type === 'volume' || type === 'image'))
    mkdirSync(context.paths.held(container.id), { mode: 0o700 });
  await settleAll(
    container.record.mounts.map(async (mount) => {
      if (isVolume(mount)) paths.set(mount.destination, await mountVolume(context, container, run, mount, signal));
      else if (mount.type === 'image') {
        const at = join(context.paths.held(container.id), newId());
        paths.set(mount.destination, await mountImage(context, mount, at, remap !== undefined, signal));
      } else if (mount.type === 'bind')
        paths.set(mount.destination, await bindSource(context, mount, rootOwner(remap), signal));
    }),
  );
  return paths;
}

/** Waits for all before the first failure is thrown, so that what succeeded late is known when it is cleared up. */
async function settleAll(work: Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

async function mountVolume(
  context: Pick<Context, 'log' | 'paths' | 'volumes'>,
  container: Container,
  run: RunRecord,
  mount: VolumeMount,
  signal: AbortSignal,
): Promise<HeldPath> {
  const { name } = mount;
  const holdAt = join(context.paths.held(container.id), newId());
  const use = volumeUse(context, container, run.mountId, { ...mount, readOnly: !mount.rw, holdAt });
  const undo = ({ source }: HeldVolume) => {
    source[Symbol.dispose]();
    return context.volumes.unmount(use).catch((error: unknown) => {
      context.log.warn('a volume that was mounted too late could not be unmounted', { name, error: messageOf(error) });
    });
  };
  const mounted = await abortable(context.volumes.mount(name, use, signal), signal, undo);
  run.volumes.push({
    name,
    destination: mount.destination,
    path: mounted.path,
    driver: mounted.driver,
    readOnly: use.readOnly,
    propagation: use.propagation,
  });
  mount.source = mounted.path;
  mount.driver = mounted.driver;
  return mounted.source;
}

/** A user's bind is the administrator's word, as on a stock engine: the runtime goes where the name leads. */
async function bindSource(
  context: Pick<Context, 'helper'>,
  mount: BindMount,
  root: Owner,
  signal: AbortSignal,
): Promise<BindSource> {
  if (mount.createSource) await createSource(context, mount, root, signal);
  await checkPropagation(context, mount, signal);
  return { named: mount.source };
}

type Owner = ReturnType<typeof rootOwner>;

/** It belongs to the container's root. */
async function createSource(
  context: Pick<Context, 'helper'>,
  mount: BindMount,
  root: Owner,
  signal: AbortSignal,
): Promise<void> {
  try {
    await context.helper.call('ensureDirectory', { path: mount.source, ...root }, { signal });
  } catch (error) {
    // Something that is no directory is there: a file, socket or device can be bound as well.
    if (!isClass(error, 'Conflict')) {
      throw systemError(`error while creating mount source path '${mount.source}': ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** A later mount can only be passed on where the source's own mount does so (moby `daemon/oci_linux.go`). */
async function checkPropagation(context: Pick<Context, 'helper'>, bind: BindMount, signal: AbortSignal): Promise<void> {
  const { source, propagation } = bind;
  if (bind.slaveIfShared) return;
  const kind = propagation.replace(/^r/, '');
  if (kind !== 'shared' && kind !== 'slave') return;
  const mount = await context.helper.call('mountOf', { path: source }, { signal }).catch((error: unknown) => {
    // It is not the container that was not found.
    throw isClass(error, 'NotFound') ? systemError(messageOf(error), { cause: error }) : error;
  });
  const has = (field: string) => mount.propagation.some((option) => option.startsWith(field));
  if (has('shared:') || (kind === 'slave' && has('master:'))) return;
  const wanted = kind === 'shared' ? 'a shared mount' : 'a shared or slave mount';
  throw systemError(`path ${source} is mounted on ${mount.target} but it is not ${wanted}`);
}

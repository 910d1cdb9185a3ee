import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, pipeline, Readable } from 'node:stream';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { encodeHeader, paddingOf } from '@cleat/linux/archive/tar-writer';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import { unmount } from '@cleat/linux/mount/mount';
import { mountOverlay } from '@cleat/linux/mount/overlay';
import type { ByteName } from '@cleat/linux/rootfs/names';
import { dataLoss, messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { stringify } from '@cleat/protocol/json';
import { newId } from '../../ids.js';
import type { Context } from '../context.js';

/**
 * A plugin as `docker plugin create` takes it, here and on a stock engine: `config.json` and `rootfs/`. What its user has
 * set, and what it has written, are not part of it.
 * @throws NotFound; DataLoss when its layers are gone
 */
export async function save(context: Context, called: string): Promise<Readable> {
  const { record, manifest } = context.registry.find(called);
  const lease = context.content.lease();
  for (const { diffId } of record.package.layers) lease.keepLayer(diffId);
  const release = [async () => lease.end()];
  const releaseAll = async (): Promise<void> => {
    for (const each of release.splice(0).reverse()) {
      try {
        await each();
      } catch (error) {
        context.log.warn('clearing up behind a plugin that was saved failed', { error: messageOf(error) });
      }
    }
  };
  try {
    const { rootfs: _, ...own } = manifest;
    const config = Buffer.from(`${stringify(own)}\n`);
    const root = await rootOf(context, record.package.layers, release);
    const { stream } = await context.helper.tarOut({ root, path: '/', entryName: 'rootfs' });
    const through = owned(new PassThrough());
    const whole = owned(Readable.from(joined(config, stream), { objectMode: false }));
    // The reader is told of an error.
    pipeline(whole, through, () => void releaseAll());
    return through;
  } catch (error) {
    await releaseAll();
    throw error;
  }
}

/** The merged layers, for as long as they are needed. */
async function rootOf(
  context: Pick<Context, 'layers' | 'directory'>,
  layers: readonly { diffId: string }[],
  release: (() => Promise<void>)[],
): Promise<string> {
  const lower = layers
    .map(({ diffId }) => {
      const record = context.layers.get(diffId);
      if (!record) throw dataLoss(`the layer ${diffId} is gone: install the plugin again`);
      return context.layers.path(record);
    })
    .reverse();
  const [only, ...others] = lower;
  if (only !== undefined && others.length === 0) return only;
  const target = join(context.directory, `save-${newId().slice(0, 12)}`);
  makeDirectories(target, 0o700);
  release.push(() => rmdir(target));
  mountOverlay({ lower, target });
  release.push(async () => unmount(target));
  return target;
}

async function* joined(config: Buffer, rest: Readable): AsyncGenerator<Buffer, void, void> {
  yield encodeHeader(configEntry(config.length));
  yield config;
  yield paddingOf(config.length);
  yield* rest;
}

function configEntry(size: number): TarEntry {
  const none = { uid: 0, gid: 0, mtime: 0, major: 0, minor: 0 };
  const name = 'config.json' as ByteName;
  return { ...none, name, type: 'file', size, mode: 0o644, linkName: '' as ByteName, xattrs: new Map() };
}

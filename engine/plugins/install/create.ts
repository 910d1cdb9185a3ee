import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { stringify } from '@cleat/protocol/json';
import { defaultSettings } from '@cleat/protocol/plugins/settings';
import { digestOf } from '../../content/blobs.js';
import { familiar, parseReference, withDefaultTag } from '../../content/references.js';
import type { Lease, StoredBlob } from '../../content/service.js';
import { mediaType } from '../../distribution/manifest.js';
import { newId, type PluginId } from '../../ids.js';
import { type Context, publish } from '../context.js';
import type { PluginPackage } from '../record.js';
import { type OpenedArchive, openArchive } from './archive-form.js';
import { fromLayout } from './layout-archive.js';
import { PackageArchive } from './package-archive.js';

/**
 * `POST /plugins/create`: a plugin from an archive, compressed or not, of its manifest and its root file system; or, beyond
 * Docker, of an OCI image layout.
 * @throws Conflict for a name that is taken; InvalidParameter with the path of each fault in the manifest
 */
export async function create(context: Context, text: string, archive: Readable, signal: AbortSignal): Promise<void> {
  const given = parseReference(text);
  if (given.digest !== undefined) throw invalidParameter('canonical references are not permitted');
  const name = familiar(withDefaultTag(given));
  context.registry.refuseTaken(name);
  await context.layers.withLease(async (lease) => {
    const stop = () => archive.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      const opened = await openArchive(archive);
      const read = opened.form === 'layout' ? fromLayout : fromPackage;
      const made = await read(context, opened, name, lease, signal);
      await context.turns.run(name, () => {
        signal.throwIfAborted();
        context.registry.refuseTaken(name);
        const id = newId<PluginId>();
        const settings = defaultSettings(made.manifest);
        const record = { v: 1, id, name, enabled: false, timeout: 0, settings, package: made.package } as const;
        context.events.together(() => {
          publish(context, 'create', id, name);
          context.running.unavailable(context.registry.put(record));
        });
      });
    } finally {
      signal.removeEventListener('abort', stop);
      archive.destroy();
    }
  });
}

async function fromPackage(
  context: Pick<Context, 'content' | 'layers'>,
  opened: OpenedArchive,
  name: string,
  lease: Lease,
  signal: AbortSignal,
): Promise<{ manifest: PluginManifest; package: PluginPackage }> {
  const content = new PackageArchive(opened);
  const gzip = owned(createGzip());
  pipeline(Readable.from(content.layer(), { objectMode: false }), gzip, () => {});
  const blob = await context.content.store(gzip, lease, { signal });
  const { manifest } = content;
  const layer = await context.layers.add({ blob, lease, signal });
  const config = `${stringify({ ...manifest, rootfs: { type: 'layers', diff_ids: [layer.diffId] } })}\n`;
  return {
    manifest,
    package: {
      reference: name,
      config,
      artifact: artifactOf(config, blob),
      mediaType: mediaType.dockerManifest,
      layers: [{ ...blob, diffId: layer.diffId }],
    },
  };
}

/** As Docker writes it. */
function artifactOf(config: string, layer: StoredBlob): string {
  return JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: mediaType.dockerPlugin, digest: digestOf(config), size: Buffer.byteLength(config) },
    layers: [{ mediaType: mediaType.dockerLayer, digest: layer.digest, size: layer.size }],
    mediaType: mediaType.dockerManifest,
  });
}

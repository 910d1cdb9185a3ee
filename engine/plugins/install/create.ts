import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { invalidParameter } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { stringify } from '@cleat/protocol/json';
import { defaultSettings } from '@cleat/protocol/plugins/settings';
import { digestOf } from '../../content/blobs.js';
import { familiar, parseReference, withDefaultTag } from '../../content/references.js';
import type { StoredBlob } from '../../content/service.js';
import { mediaType } from '../../distribution/manifest.js';
import { newId, type PluginId } from '../../ids.js';
import { type Context, publish } from '../context.js';
import { PackageArchive } from './package-archive.js';

/**
 * `POST /plugins/create`: a plugin from an archive of its manifest and its root file system.
 * @throws Conflict for a name that is taken; InvalidParameter with the path of each fault in the manifest
 */
export async function create(context: Context, text: string, archive: Readable, signal: AbortSignal): Promise<void> {
  const given = parseReference(text);
  if (given.digest !== undefined) throw invalidParameter('canonical references are not permitted');
  const name = familiar(withDefaultTag(given));
  context.registry.refuseTaken(name);
  await context.layers.withLease(async (lease) => {
    const content = new PackageArchive(archive);
    const gzip = owned(createGzip());
    const stop = () => archive.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      pipeline(Readable.from(content.layer(), { objectMode: false }), gzip, () => {});
      const blob = await context.content.store(gzip, lease, { signal });
      const manifest = content.manifest;
      const layer = await context.layers.add({ blob, lease, signal });
      const config = `${stringify({ ...manifest, rootfs: { type: 'layers', diff_ids: [layer.diffId] } })}\n`;
      await context.turns.run(name, () => {
        signal.throwIfAborted();
        context.registry.refuseTaken(name);
        const id = newId<PluginId>();
        context.registry.put({
          v: 1,
          id,
          name,
          enabled: false,
          timeout: 0,
          settings: defaultSettings(manifest),
          package: {
            reference: name,
            config,
            artifact: artifactOf(config, blob),
            mediaType: mediaType.dockerManifest,
            layers: [{ ...blob, diffId: layer.diffId }],
          },
        });
        publish(context, 'create', id, name);
      });
    } finally {
      signal.removeEventListener('abort', stop);
      archive.destroy();
    }
  });
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

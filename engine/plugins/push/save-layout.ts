import { PassThrough, pipeline, Readable } from 'node:stream';
import type { TarEntry } from '@cleat/linux/archive/tar-header';
import { encodeHeader, paddingOf, tarEnd } from '@cleat/linux/archive/tar-writer';
import type { ByteName } from '@cleat/linux/rootfs/names';
import { owned } from '@cleat/protocol/guard';
import { digestOf } from '../../content/blobs.js';
import { mediaType } from '../../distribution/manifest.js';
import type { Context } from '../context.js';
import { type Part, partsOf } from './push.js';

/**
 * A plugin as an archive of an OCI image layout: byte for byte as it came, so that it has the same digest wherever it is
 * loaded, and signatures of it still fit.
 * @throws NotFound; DataLoss when the archive of a layer is gone
 */
export async function saveLayout(context: Context, called: string): Promise<Readable> {
  const { record } = context.registry.find(called);
  const lease = context.content.lease();
  try {
    const parts = await partsOf(context, record.package, lease);
    const through = owned(new PassThrough());
    const { artifact } = record.package;
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.ociIndex,
      manifests: [
        {
          mediaType: record.package.mediaType,
          digest: digestOf(artifact),
          size: Buffer.byteLength(artifact),
          annotations: { 'org.opencontainers.image.ref.name': record.name },
        },
      ],
    });
    // The reader is told of an error.
    pipeline(owned(Readable.from(layout(index, artifact, parts), { objectMode: false })), through, () => lease.end());
    return through;
  } catch (error) {
    lease.end();
    throw error;
  }
}

async function* layout(index: string, artifact: string, parts: readonly Part[]): AsyncGenerator<Buffer, void, void> {
  yield file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
  yield file('index.json', index);
  yield file(pathOf(digestOf(artifact)), artifact);
  for (const { digest, size, open } of parts) {
    yield encodeHeader(entryOf(pathOf(digest), size));
    yield* open();
    yield paddingOf(size);
  }
  yield tarEnd;
}

const pathOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`;

function file(name: string, text: string): Buffer {
  const data = Buffer.from(text);
  return Buffer.concat([encodeHeader(entryOf(name, data.length)), data, paddingOf(data.length)]);
}

function entryOf(name: string, size: number): TarEntry {
  const none = { uid: 0, gid: 0, mtime: 0, major: 0, minor: 0, linkName: '' as ByteName, xattrs: new Map() };
  return { ...none, name: name as ByteName, type: 'file', mode: 0o644, size };
}

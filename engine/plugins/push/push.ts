import { Readable } from 'node:stream';
import type { Progress, RegistryAuth } from '@cleat/protocol/api/image';
import { dataLoss } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import { allOrNone } from '../../async/all-or-none.js';
import { bar, type Emit, progressOf } from '../../async/progress.js';
import { digestOf } from '../../content/blobs.js';
import { familiarName, parseReference } from '../../content/references.js';
import type { Lease, StoredBlob } from '../../content/service.js';
import type { RegistryClient } from '../../distribution/client.js';
import { sendBlob } from '../../distribution/send.js';
import { shortId } from '../../ids.js';
import { type Context, publish } from '../context.js';
import type { PluginPackage } from '../record.js';

/** A blob of a plugin, and how it is read. */
export interface Part extends StoredBlob {
  open(): Readable;
}

/**
 * `POST /plugins/{name}/push`: byte for byte as it came, so that its digest is the same everywhere.
 * @throws NotFound, before the first line
 */
export function push(
  context: Context,
  called: string,
  { auth, signal: outer }: { auth?: RegistryAuth | undefined; signal: AbortSignal },
): AsyncIterable<Progress> {
  return progressOf(async (emit, signal) => {
    // As it is now: an upgrade may come meanwhile.
    const { record, id } = context.registry.find(called);
    const reference = parseReference(record.name);
    const { artifact, mediaType } = record.package;
    const digest = digestOf(artifact);
    const tag = reference.tag ?? 'latest';
    emit({ status: `The push refers to repository [${familiarName(reference)}]` });
    await context.layers.withLease(async (lease) => {
      const parts = await partsOf(context, record.package, lease);
      for (const one of [digest, ...parts.map((part) => part.digest)]) say(emit, one, 'Preparing');
      const request = { reference, access: 'push' as const, contents: 'plugin' as const, auth, signal };
      await context.distribution.connect(request, async (client) => {
        const failed = new AbortController();
        const either = AbortSignal.any([signal, failed.signal]);
        await allOrNone(
          parts.map((part) => send(client, part, emit, either)),
          () => failed.abort(),
        );
        await client.putManifest(tag, mediaType, artifact, signal);
        say(emit, digest, 'Upload complete');
      });
    });
    emit({ progressDetail: {}, aux: { Tag: tag, Digest: digest, Size: Buffer.byteLength(artifact) } });
    publish(context, 'push', id, called);
  }, outer);
}

/** @throws DataLoss when the archive of a layer is gone */
export async function partsOf(
  { content }: Pick<Context, 'content'>,
  { layers, config }: PluginPackage,
  lease: Lease,
): Promise<Part[]> {
  const seen = new Map<string, Part>();
  for (const { digest, size } of layers) {
    lease.keepBlob(digest);
    if (!(await content.has(digest))) throw dataLoss(`the layer ${digest} is gone: install the plugin again`);
    seen.set(digest, { digest, size, open: () => content.read(digest) });
  }
  const data = Buffer.from(config);
  const own = { digest: digestOf(config), size: data.length, open: () => owned(Readable.from([data])) };
  return [...seen.values(), own];
}

async function send(client: RegistryClient, part: Part, emit: Emit, signal: AbortSignal): Promise<void> {
  if (!(await client.hasBlob(part.digest, signal))) {
    const onBytes = bar(emit, shortId(part.digest), 'Uploading', part.size);
    await sendBlob({ client, blob: part, open: () => part.open(), onBytes, signal });
  }
  say(emit, part.digest, 'Upload complete');
}

function say(emit: Emit, digest: string, status: string): void {
  emit({ status, progressDetail: {}, id: shortId(digest) });
}

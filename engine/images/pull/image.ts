import { shared } from '@cleat/protocol/async/shared-signal';
import { invalidParameter } from '@cleat/protocol/errors';
import { allOrNone } from '../../async/all-or-none.js';
import { bar, type Emit } from '../../async/progress.js';
import type { Lease } from '../../content/leases.js';
import type { RegistryClient } from '../../distribution/client.js';
import { fetchBlob, fetchConfig } from '../../distribution/fetch.js';
import type { Descriptor, ImageManifest } from '../../distribution/manifest.js';
import { shortId } from '../../ids.js';
import type { Image } from '../catalog.js';
import { parseNewImageConfig, refuseTooDeep } from '../config.js';
import type { Context } from '../context.js';

interface Task {
  /** `registry.example/team/app` */
  repository: string;
  context: Context;
  client: RegistryClient;
  manifest: ImageManifest;
  lease: Lease;
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Brings the image of a manifest here: its configuration, then those of its layers that are not here yet, several at
 * once. Every byte is checked against the manifest's digests, every layer against the configuration's diff IDs.
 */
export async function pullImage(task: Task): Promise<Image> {
  const { context, manifest, lease } = task;
  const known = context.catalog.knownId(manifest.config.digest);
  const present = known && context.catalog.get(known);
  if (present) return present;
  refuseTooDeep(manifest.layers.length);
  const raw = await fetchConfig(task.client, manifest.config, 'image', task.signal);
  const config = parseNewImageConfig(raw);
  const { diff_ids: diffIds } = config.rootfs;
  if (diffIds.length !== manifest.layers.length) {
    throw invalidParameter("layers from manifest don't match image configuration");
  }
  const os = config.os ?? 'linux';
  if (os !== 'linux')
    throw invalidParameter(`cannot download image with operating system "${os}" when requesting "linux"`);
  for (const diffId of diffIds) lease.keepLayer(diffId);

  const failed = new AbortController();
  const signal = shared(AbortSignal.any([task.signal, failed.signal]));
  const seen = new Set<string>();
  const layers: Promise<void>[] = [];
  for (const [at, diffId] of diffIds.entries()) {
    const descriptor = manifest.layers[at];
    if (!descriptor || seen.has(diffId)) continue;
    seen.add(diffId);
    const isHere = context.layers.get(diffId) !== undefined;
    task.emit({
      status: isHere ? 'Already exists' : 'Pulling fs layer',
      progressDetail: {},
      id: shortId(descriptor.digest),
    });
    if (!isHere) layers.push(pullLayer({ ...task, signal }, descriptor, diffId));
  }
  await allOrNone(layers, () => failed.abort());
  // So that a push to another repository of that registry need not send them.
  for (const [at, diffId] of diffIds.entries()) {
    const { digest, size, mediaType = '' } = manifest.layers[at] ?? {};
    if (digest === undefined || size === undefined || !mediaType.endsWith('gzip')) continue;
    context.layers.addPlace(diffId, { digest, size, repository: task.repository });
  }
  return context.create(raw);
}

async function pullLayer(task: Task, descriptor: Descriptor, diffId: string): Promise<void> {
  const { context, lease, emit, signal } = task;
  const id = shortId(descriptor.digest);
  const blob = await fetchBlob({ ...task, distribution: context.distribution, descriptor });
  await context.unpacks.run(async () => {
    const extracted = bar(emit, id, 'Extracting', blob.size);
    await context.layers.add({ blob, lease, diffId, signal, onRead: extracted, isSpent: true });
    extracted(blob.size);
  });
  emit({ status: 'Pull complete', progressDetail: {}, id });
}

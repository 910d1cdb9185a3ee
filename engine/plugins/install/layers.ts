import { allOrNone } from '../../async/all-or-none.js';
import { bar, type Emit } from '../../async/progress.js';
import type { Lease, StoredBlob } from '../../content/service.js';
import type { RegistryClient } from '../../distribution/client.js';
import { fetchBlob } from '../../distribution/fetch.js';
import type { Descriptor } from '../../distribution/manifest.js';
import { shortId } from '../../ids.js';
import type { LayerRecord } from '../../layers/service.js';
import type { Context } from '../context.js';
import type { PluginLayer } from '../record.js';
import { ArrivingLayer } from './arriving-layer.js';
import type { Artifact } from './artifact.js';

interface Task {
  context: Context;
  client: RegistryClient;
  artifact: Artifact;
  lease: Lease;
  emit: Emit;
  signal: AbortSignal;
}

/**
 * Brings the layers of a plugin here, several at once; one that an image or another plugin has in the same form is shared.
 * Each is what the registry's manifest says: the diff IDs in a plugin's own are not relied upon, as Docker writes digests
 * of archives there.
 * @returns them, lowest first
 */
export async function pullLayers(task: Task): Promise<PluginLayer[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([task.signal, failed.signal]);
  // The same layer twice is one download.
  const byDigest = new Map<string, Promise<PluginLayer>>();
  for (const descriptor of task.artifact.layers) {
    if (byDigest.has(descriptor.digest)) continue;
    byDigest.set(descriptor.digest, layerFor({ ...task, signal }, descriptor));
  }
  await allOrNone([...byDigest.values()], () => failed.abort());
  const all = await Promise.all(task.artifact.layers.map(({ digest }) => byDigest.get(digest)));
  return all.flatMap((layer) => layer ?? []);
}

async function layerFor(task: Task, descriptor: Descriptor): Promise<PluginLayer> {
  const { context, lease, emit, signal } = task;
  const id = shortId(descriptor.digest);
  const say = (status: string) => emit({ status, progressDetail: {}, id });
  const layerOf = ({ diffId }: { diffId: string }): PluginLayer => {
    const { digest, size } = descriptor;
    return { digest, size, diffId };
  };
  lease.keepBlob(descriptor.digest);
  // An image may have the layer without its archive, which a plugin needs to be pushed as it came.
  const here = (await context.content.has(descriptor.digest)) && context.layers.ofBlob(descriptor.digest);
  if (here) {
    lease.keepLayer(here.diffId);
    say('Already exists');
    say('Complete');
    return layerOf(here);
  }
  say('Pulling fs layer');
  const arriving = new ArrivingLayer(context, descriptor, signal);
  try {
    const request = { ...task, distribution: context.distribution, descriptor, reader: arriving };
    const blob = await fetchBlob(request);
    const layer = (await arriving.finish(blob, lease)) ?? (await unpack(task, blob));
    bar(emit, id, 'Extracting', blob.size)(blob.size);
    say('Complete');
    return layerOf(layer);
  } finally {
    await arriving.abandon();
  }
}

async function unpack({ context, lease, emit, signal }: Task, blob: StoredBlob): Promise<LayerRecord> {
  const onRead = bar(emit, shortId(blob.digest), 'Extracting', blob.size);
  return await context.unpacks.run(() => context.layers.add({ blob, lease, signal, onRead }));
}

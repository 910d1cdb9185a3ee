import { gzip } from '@cleat/linux/archive/gzip';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { shared } from '@cleat/protocol/async/shared-signal';
import { dataLoss } from '@cleat/protocol/errors';
import { allOrNone } from '../../async/all-or-none.js';
import { bar, type Emit } from '../../async/progress.js';
import type { StoredBlob } from '../../content/blobs.js';
import type { Lease } from '../../content/leases.js';
import type { RegistryClient } from '../../distribution/client.js';
import { RegistryError } from '../../distribution/errors.js';
import { sendBlob } from '../../distribution/send.js';
import { shortId } from '../../ids.js';
import type { LayerRecord } from '../../layers/service.js';
import type { Context } from '../context.js';

const concurrentUploads = 5;

interface Task {
  context: Pick<Context, 'content' | 'layers'>;
  client: RegistryClient;
  /** Lowest first. */
  diffIds: readonly string[];
  /** `registry.example/team/app` */
  repository: string;
  emit: Emit;
  signal: AbortSignal;
}

/** Brings layers, gzipped, to the registry. @returns their descriptors there, lowest first */
export async function pushLayers(task: Task): Promise<StoredBlob[]> {
  const { context, diffIds, emit } = task;
  for (const diffId of [...diffIds].reverse()) emit({ status: 'Preparing', progressDetail: {}, id: shortId(diffId) });
  const failed = new AbortController();
  const signal = shared(AbortSignal.any([task.signal, failed.signal]));
  const uploads = new Semaphore(concurrentUploads);
  return await context.layers.withLease(async (lease) => {
    for (const diffId of diffIds) lease.keepLayer(diffId);
    // The same layer twice in an image is one upload.
    const byDiffId = new Map<string, Promise<StoredBlob>>();
    for (const diffId of new Set(diffIds)) {
      if (uploads.isBusy) emit({ status: 'Waiting', progressDetail: {}, id: shortId(diffId) });
      byDiffId.set(
        diffId,
        uploads.run(() => pushLayer({ ...task, signal }, diffId, lease)),
      );
    }
    await allOrNone([...byDiffId.values()], () => failed.abort());
    return await Promise.all(diffIds.map((diffId) => byDiffId.get(diffId) ?? Promise.reject(dataLoss(diffId))));
  });
}

async function pushLayer(task: Task, diffId: string, lease: Lease): Promise<StoredBlob> {
  const { context, emit } = task;
  const layer = context.layers.get(diffId);
  if (!layer) throw dataLoss(`layer ${diffId} is missing: pull or load the image again`);
  const id = shortId(diffId);
  const say = (status: string) => emit({ status, progressDetail: {}, id });
  const present = await alreadyThere(task, layer, say);
  if (present) return present;
  lease.keepBlob(layer.blob.digest);
  const isThere = layer.blob.compression === 'gzip' && (await context.content.has(layer.blob.digest));
  const blob = isThere ? await sendStored(task, layer, layer.blob) : await sendCompressed(task, layer, lease);
  say('Pushed');
  return placed(task, layer, blob);
}

async function sendStored({ context, client, emit, signal }: Task, layer: LayerRecord, blob: StoredBlob) {
  const onBytes = bar(emit, shortId(layer.diffId), 'Pushing', blob.size);
  await sendBlob({ client, blob, open: () => context.content.read(blob.digest), onBytes, signal });
  return blob;
}

/** Sends a layer while it is compressed. */
async function sendCompressed(task: Task, layer: LayerRecord, lease: Lease): Promise<StoredBlob> {
  const { context, client, emit, signal } = task;
  const onBytes = bar(emit, shortId(layer.diffId), 'Pushing', layer.tarSize);
  const open = () => gzip(counted(context.layers.archive(layer, true), onBytes));
  try {
    return await client.uploadUnknown(open, signal);
  } catch (error) {
    if (!(error instanceof RegistryError) || !wantsLength.has(error.status)) throw error;
    const blob = await context.content.store(gzip(context.layers.archive(layer, true)), lease, { signal });
    return await sendStored(task, layer, blob);
  }
}

/** Answers of registries that take no chunk, or none whose length they are not told. */
const wantsLength = new Set([400, 404, 405, 411, 415, 416, 501]);

async function* counted(source: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    onBytes(bytes);
    yield chunk;
  }
}

/** As many forms of a layer, and repositories that may share it, are tried before it is sent. */
const maxTries = 3;

/** The layer in a form that the repository has, or comes to share with another one of the registry. */
async function alreadyThere(
  task: Task,
  layer: LayerRecord,
  say: (status: string) => void,
): Promise<StoredBlob | undefined> {
  const { client, repository, signal } = task;
  const places = [...(layer.places ?? [])].reverse();
  const forms = new Map<string, StoredBlob>();
  if (layer.blob.compression === 'gzip') forms.set(layer.blob.digest, layer.blob);
  for (const place of places) if (!forms.has(place.digest)) forms.set(place.digest, place);
  for (const form of [...forms.values()].slice(0, maxTries)) {
    if (!(await client.hasBlob(form.digest, signal))) continue;
    say('Layer already exists');
    return placed(task, layer, form);
  }
  const registry = repository.slice(0, repository.indexOf('/') + 1);
  const others = places.filter((place) => place.repository.startsWith(registry) && place.repository !== repository);
  for (const place of others.slice(0, maxTries)) {
    const from = place.repository.slice(registry.length);
    if (!(await client.mount(place.digest, from, signal))) continue;
    say(`Mounted from ${from}`);
    return placed(task, layer, place);
  }
  return undefined;
}

function placed({ context, repository }: Task, layer: LayerRecord, { digest, size }: StoredBlob): StoredBlob {
  context.layers.addPlace(layer.diffId, { digest, size, repository });
  return { digest, size };
}

import { setTimeout as delay } from 'node:timers/promises';
import { cancelled, dataLoss, invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { shortId } from '../../ids.js';
import { digestOf, readSmall, type StoredBlob } from '../blobs.js';
import type { Image } from '../catalog.js';
import { parseNewImageConfig } from '../config.js';
import type { Lease } from '../leases.js';
import { bar, type Emit } from '../progress.js';
import type { RegistryClient } from '../registry/client.js';
import { RegistryError } from '../registry/errors.js';
import type { Descriptor, ImageManifest } from '../registry/manifest.js';
import type { Room } from '../room.js';
import { allOrNone } from '../semaphore.js';

const maxConfig = 8 * 1024 * 1024;
const maxAttempts = 5;

interface Task {
  room: Room;
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
  const { room, manifest, lease } = task;
  const present = room.catalog.get(manifest.config.digest);
  if (present) return present;
  const raw = await pullConfig(task);
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
  const signal = AbortSignal.any([task.signal, failed.signal]);
  const seen = new Set<string>();
  const layers: Promise<void>[] = [];
  for (const [at, diffId] of diffIds.entries()) {
    const descriptor = manifest.layers[at];
    if (!descriptor || seen.has(diffId)) continue;
    seen.add(diffId);
    const isHere = room.layers.get(diffId) !== undefined;
    task.emit({
      status: isHere ? 'Already exists' : 'Pulling fs layer',
      progressDetail: {},
      id: shortId(descriptor.digest),
    });
    if (!isHere) layers.push(pullLayer({ ...task, signal }, descriptor, diffId));
  }
  await allOrNone(layers, () => failed.abort());
  return room.create(raw);
}

async function pullConfig({ client, manifest, signal }: Task): Promise<string> {
  const { digest } = manifest.config;
  const data = await readSmall(await client.blob(digest, signal), maxConfig, 'the image configuration');
  if (digestOf(data) !== digest) throw dataLoss(`image config verification failed for digest ${digest}`);
  const raw = data.toString('utf8');
  if (!Buffer.from(raw).equals(data)) throw invalidParameter('the image configuration is not UTF-8');
  return raw;
}

async function pullLayer(task: Task, descriptor: Descriptor, diffId: string): Promise<void> {
  const { room, lease, emit, signal } = task;
  const id = shortId(descriptor.digest);
  const say = (status: string) => emit({ status, progressDetail: {}, id });
  lease.keepBlob(descriptor.digest);
  if (room.downloads.isBusy) say('Waiting');
  const blob = await room.downloads.run(() => download(task, descriptor, say));
  say('Download complete');
  await room.unpacks.run(async () => {
    const progress = bar(emit, id, 'Extracting', blob.size);
    await room.layers.add({ blob, lease, diffId, signal, onRead: progress });
    progress(blob.size);
  });
  say('Pull complete');
}

async function download(task: Task, descriptor: Descriptor, say: (status: string) => void): Promise<StoredBlob> {
  const { room, client, emit, signal } = task;
  const { digest, size } = descriptor;
  for (let attempt = 1; ; attempt++) {
    try {
      if (signal.aborted) throw cancelled('the pull was cancelled');
      const response = await client.blob(digest, signal);
      const progress = bar(emit, shortId(digest), 'Downloading', size);
      const onBytes = (bytes: number) => {
        progress(bytes);
        if (bytes === size) say('Verifying Checksum');
      };
      return await room.blobs.write(response, { digest, size, onBytes, signal });
    } catch (error) {
      if (signal.aborted) throw cancelled('the pull was cancelled', { cause: error });
      if (attempt === maxAttempts || !isWorthRetrying(error)) throw error;
      room.log.info(`download failed, retrying: ${messageOf(error)}`, { digest });
      for (let seconds = 5 * attempt; seconds > 0; seconds--) {
        say(`Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`);
        await delay(1000, undefined, { signal }).catch((cause: unknown) => {
          throw cancelled('the pull was cancelled', { cause });
        });
      }
    }
  }
}

/** A broken connection or an overloaded server may be better next time; a refusal, wrong content or full disk not. */
function isWorthRetrying(error: unknown): boolean {
  if (error instanceof RegistryError) return error.status >= 500;
  if (isClass(error, 'DataLoss')) return messageOf(error).startsWith('unexpected EOF');
  if (isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded')) return true;
  return error instanceof Error && 'code' in error && ['ECONNRESET', 'ETIMEDOUT', 'EPIPE'].includes(String(error.code));
}

import { dataLoss, invalidParameter } from '@cleat/protocol/errors';
import { bar, type Emit } from '../async/progress.js';
import { digestOf, type StoredBlob } from '../content/blobs.js';
import type { Lease } from '../content/leases.js';
import { shortId } from '../ids.js';
import type { RegistryClient } from './client.js';
import type { Download } from './download.js';
import type { Descriptor } from './manifest.js';
import type { Distribution } from './service.js';

/**
 * The configuration of an artifact, verified.
 * @param what of which it is: `image`
 * @throws DataLoss, InvalidParameter for one that is too large or no UTF-8
 */
export async function fetchConfig(
  client: RegistryClient,
  { digest, size }: Descriptor,
  what: string,
  signal: AbortSignal,
): Promise<string> {
  // Another try brings no other size.
  if (size > client.limits.config) {
    throw invalidParameter(`the ${what} configuration is larger than ${client.limits.config} bytes`);
  }
  const data = await client.config(digest, signal);
  if (digestOf(data) !== digest) throw dataLoss(`${what} config verification failed for digest ${digest}`);
  const raw = data.toString('utf8');
  // Its digest is of bytes, so the text must give back the very same.
  if (!Buffer.from(raw).equals(data)) throw invalidParameter(`the ${what} configuration is not UTF-8`);
  return raw;
}

export interface Fetch {
  distribution: Pick<Distribution, 'download' | 'isBusy'>;
  client: RegistryClient;
  descriptor: Descriptor;
  lease: Lease;
  emit: Emit;
  signal: AbortSignal;
  /** The reader of the blob while it grows: see {@link Download}. */
  reader?: Required<Pick<Download, 'onFile' | 'onAnew'>> & { grew(): void };
}

/** Brings a layer's blob here, for the lease, and reports as Docker does. @throws as `download` */
export async function fetchBlob({ distribution, lease, emit, reader, ...request }: Fetch): Promise<StoredBlob> {
  const { digest, size } = request.descriptor;
  const id = shortId(digest);
  const say = (status: string) => emit({ status, progressDetail: {}, id });
  lease.keepBlob(digest);
  if (distribution.isBusy) say('Waiting');
  const progress = bar(emit, id, 'Downloading', size);
  const onBytes = (bytes: number) => {
    progress(bytes);
    reader?.grew();
    if (bytes === size) say('Verifying Checksum');
  };
  const onWait = (seconds: number) => say(`Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`);
  const blob = await distribution.download({ ...request, ...reader, onBytes, onWait });
  say('Download complete');
  return blob;
}

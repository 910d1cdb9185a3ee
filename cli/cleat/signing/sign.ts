import { createHash, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Reference, repositoryOf } from '@cleat/engine/content/references';
import { mediaType } from '@cleat/engine/distribution/manifest';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { signatureLayers } from '@cleat/engine/plugins/trust/fetch';
import { payloadFor, signatureFormat, signatureTag } from '@cleat/engine/plugins/trust/payload';
import { owned } from '@cleat/protocol/guard';
import { type RegistryOptions, withPluginRegistry } from '../registry/registry.js';
import { signatureOf } from './keys.js';

export interface SignOptions extends RegistryOptions {
  readonly reference: Reference;
  /** The artifacts of that repository to sign. */
  readonly digests: readonly string[];
  readonly key: KeyObject;
}

/** Signs artifacts that are in a registry: each signature goes beside what it signs, as cosign's do. */
export async function signPushed(options: SignOptions): Promise<void> {
  await withPluginRegistry(options.reference, 'push', options, async (client) => {
    for (const digest of options.digests) await signOne(client, digest, options);
  });
}

async function signOne(client: RegistryClient, digest: string, { reference, key, signal }: SignOptions): Promise<void> {
  const payload = payloadFor(repositoryOf(reference), digest);
  const before = await signatureLayers(client, digest, signal);
  const own = { ...(await send(client, payload, signal)), signature: signatureOf(key, payload) };
  // Ed25519 signs the same bytes the same way; nothing is gained by having that twice.
  const all = before.some(({ signature }) => signature === own.signature) ? before : [...before, own];
  const config = JSON.stringify({
    architecture: '',
    os: '',
    config: {},
    rootfs: { type: 'layers', diff_ids: all.map((layer) => layer.digest) },
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaType.ociManifest,
    config: { mediaType: mediaType.ociConfig, ...(await send(client, config, signal)) },
    layers: all.map((layer) => ({
      mediaType: signatureFormat.payload,
      size: layer.size,
      digest: layer.digest,
      annotations: { [signatureFormat.annotation]: layer.signature },
    })),
  });
  await client.putManifest(signatureTag(digest), mediaType.ociManifest, manifest, signal);
}

/** Brings a small document to the registry as a blob. */
export async function send(client: RegistryClient, text: string, signal: AbortSignal) {
  const bytes = Buffer.from(text);
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  if (!(await client.hasBlob(digest, signal))) {
    await client.upload(digest, bytes.length, () => owned(Readable.from([bytes])), signal);
  }
  return { digest, size: bytes.length };
}

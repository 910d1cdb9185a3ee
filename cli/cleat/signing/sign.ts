import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Reference, repositoryOf } from '@cleat/engine/content/references';
import { mediaType } from '@cleat/engine/distribution/manifest';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { fetchSignatures, type SignatureLayer, signatureLayers } from '@cleat/engine/plugins/trust/fetch';
import { payloadFor, signatureFormat, signatureTag } from '@cleat/engine/plugins/trust/payload';
import { readPublicKey, verifySignatures } from '@cleat/engine/plugins/trust/verify';
import { owned } from '@cleat/protocol/guard';
import { packagingTime } from '../package/tar.js';
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
  const signedAt = process.env.SOURCE_DATE_EPOCH ? packagingTime() : Math.floor(Date.now() / 1000);
  await withPluginRegistry(options.reference, 'push', options, async (client) => {
    for (const digest of options.digests) await signOne(client, digest, signedAt, options);
  });
}

async function signOne(
  client: RegistryClient,
  digest: string,
  signedAt: number,
  { reference, key, signal }: SignOptions,
): Promise<void> {
  const payload = payloadFor(repositoryOf(reference), digest, signedAt);
  const own = { ...(await send(client, payload, signal)), signature: signatureOf(key, payload) };
  const all = [...(await othersSignatures(client, digest, key, signal)), own];
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

/** The signatures of a digest that are not by this key: a new one of it takes the place of those. */
async function othersSignatures(
  client: RegistryClient,
  digest: string,
  key: KeyObject,
  signal: AbortSignal,
): Promise<SignatureLayer[]> {
  const pem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString();
  const own = readPublicKey(pem, 'own');
  const layers = await signatureLayers(client, digest, signal);
  const signatures = await fetchSignatures(client, digest, signal);
  return layers.filter((_, at) => !verifySignatures([digest], signatures.slice(at, at + 1), [own]).trusted);
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

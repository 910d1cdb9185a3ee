import { invalidParameter, notFound } from '@cleat/protocol/errors';
import { isRecord, parseJson } from '@cleat/protocol/json';
import { formatPlatform, type Platform } from '../content/platform.js';
import { canonical, type Reference } from '../content/references.js';
import type { RegistryClient, RemoteManifest } from './client.js';
import {
  type Contents,
  chooseManifest,
  type ImageManifest,
  type ManifestList,
  mediaType,
  parseManifest,
} from './manifest.js';

/** The target of a reference: one artifact, or a list of them for several platforms. */
export interface Named {
  readonly remote: RemoteManifest;
  readonly top: ImageManifest | ManifestList;
}

/** @throws InvalidParameter for what is not `contents`; the registry's errors */
export async function named(
  client: RegistryClient,
  reference: Reference,
  contents: Contents,
  signal: AbortSignal,
): Promise<Named> {
  const remote = await client.manifest(reference.digest ?? reference.tag ?? 'latest', signal);
  return { remote, top: parseManifest(remote.text, remote.contentType, canonical(reference), contents) };
}

/**
 * The artifact for a platform, among those that a reference names.
 * @throws NotFound when there is none for it
 */
export async function chosen(
  client: RegistryClient,
  { remote, top }: Named,
  reference: Reference,
  platform: Platform,
  contents: Contents,
  signal: AbortSignal,
): Promise<{ remote: RemoteManifest; manifest: ImageManifest }> {
  if (top.kind === 'image') return { remote, manifest: top };
  const choice = chooseManifest(top, platform);
  if (!choice) throw notFound(`no matching manifest for ${formatPlatform(platform)} in the manifest list entries`);
  const child = await client.manifest(choice.digest, signal);
  const manifest = parseManifest(child.text, child.contentType, canonical(reference), contents);
  if (manifest.kind !== 'image') throw invalidParameter('unsupported manifest format: a list inside a list');
  return { remote: child, manifest };
}

/** The document's own media type, or else the one that the registry gives it. */
export function mediaTypeOf({ remote, top }: Named): string {
  const document = parseJson(remote.text);
  if (isRecord(document) && typeof document.mediaType === 'string') return document.mediaType;
  const named = remote.contentType.split(';')[0]?.trim() ?? '';
  const known: readonly string[] = Object.values(mediaType);
  if (known.includes(named)) return named;
  return top.kind === 'list' ? mediaType.ociIndex : mediaType.ociManifest;
}

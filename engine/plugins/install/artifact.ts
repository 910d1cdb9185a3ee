import type { RegistryAuth } from '@cleat/protocol/api/image';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { hostPlatform } from '../../content/platform.js';
import { canonical, type Reference } from '../../content/references.js';
import type { RegistryClient } from '../../distribution/client.js';
import { pullError } from '../../distribution/errors.js';
import { fetchConfig } from '../../distribution/fetch.js';
import { type Descriptor, type ImageManifest, mediaType } from '../../distribution/manifest.js';
import { chosen, named } from '../../distribution/resolve.js';
import type { Context } from '../context.js';
import { checkTrust } from '../trust/index.js';
import { rulesOf } from '../trust/policy.js';

/** The parts of a plugin that a registry has, but for its layers: verified, and read. */
export interface Artifact {
  readonly reference: Reference;
  /** The digest of `text`. */
  readonly digest: string;
  /** The registry's manifest for this platform, byte for byte, and its media type. */
  readonly text: string;
  readonly mediaType: string;
  /** The plugin's own manifest, byte for byte. */
  readonly config: string;
  readonly manifest: PluginManifest;
  /** Lowest first. */
  readonly layers: readonly Descriptor[];
  /** Notes that it was installed, so that the registry does not go back behind it. */
  readonly installed: () => void;
}

/** An overlay takes no more. */
const maxLayers = 125;

export interface FromRegistry {
  reference: Reference;
  auth?: RegistryAuth | undefined;
  signal: AbortSignal;
}

/**
 * Speaks with the registry of a plugin. `work` must not have reported anything when it fails.
 * @throws in Docker's words
 */
export async function fromRegistry<T>(
  { distribution }: Pick<Context, 'distribution'>,
  { reference, auth, signal }: FromRegistry,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  try {
    const request = { reference, access: 'pull' as const, contents: 'plugin' as const, auth, signal };
    return await distribution.connect(request, work);
  } catch (error) {
    throw pullError(error, reference);
  }
}

/**
 * Nothing is read of a plugin that is not signed as the operator asks.
 * @throws InvalidParameter for what is no plugin, or a malformed one; NotFound when there is none for this platform;
 * Forbidden for one that is not trusted, or older than what was here; DataLoss; the registry's errors
 */
export async function fetchArtifact(
  { config: settings, registry }: Pick<Context, 'config' | 'registry'>,
  client: RegistryClient,
  reference: Reference,
  signal: AbortSignal,
): Promise<Artifact> {
  const found = await named(client, reference, 'plugin', signal);
  const { remote, manifest } = await chosen(client, found, reference, hostPlatform(), 'plugin', signal);
  const digests = [found.remote.digest, remote.digest];
  const trust = await checkTrust({ rules: rulesOf(settings), reference, client, digests, signal });
  // A digest means that version; a tag means what is there, which only goes on.
  if (trust && reference.digest === undefined) registry.signatures.check(canonical(reference), trust.signedAt);
  checkLayerCount(manifest, canonical(reference));
  const config = await fetchConfig(client, manifest.config, 'plugin', signal);
  return {
    reference,
    digest: remote.digest,
    text: remote.text,
    mediaType: remote.contentType.split(';')[0]?.trim() || mediaType.dockerManifest,
    config,
    manifest: readManifest(config, 'lenient'),
    layers: manifest.layers,
    installed() {
      if (trust?.signedAt !== undefined && reference.digest === undefined)
        registry.signatures.note(canonical(reference), trust.signedAt);
    },
  };
}

/** @throws InvalidParameter */
export function checkLayerCount({ layers }: Pick<ImageManifest, 'layers'>, name: string): void {
  if (layers.length === 0) throw invalidParameter(`the plugin ${name} has no layers`);
  if (layers.length > maxLayers) throw invalidParameter(`the plugin ${name} has more than ${maxLayers} layers`);
}

import type { RegistryAuth } from '@cleat/protocol/api/image';
import type { PluginManifest } from '@cleat/protocol/api/plugin';
import { invalidParameter } from '@cleat/protocol/errors';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { hostPlatform } from '../../content/platform.js';
import { canonical, type Reference } from '../../content/references.js';
import type { RegistryClient } from '../../distribution/client.js';
import { pullError } from '../../distribution/errors.js';
import { fetchConfig } from '../../distribution/fetch.js';
import { type Descriptor, mediaType } from '../../distribution/manifest.js';
import { chosen, named } from '../../distribution/resolve.js';
import type { Context } from '../context.js';

/** The parts of a plugin that a registry has, but for its layers: verified, and read. */
export interface Artifact {
  readonly reference: Reference;
  /** The digest of the reference's target: a list's, where there is one for several platforms. */
  readonly namedDigest: string;
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
 * @throws InvalidParameter for what is no plugin, or a malformed one; NotFound when there is none for this platform;
 * DataLoss; the registry's errors
 */
export async function fetchArtifact(
  client: RegistryClient,
  reference: Reference,
  signal: AbortSignal,
): Promise<Artifact> {
  const found = await named(client, reference, 'plugin', signal);
  const { remote, manifest } = await chosen(client, found, reference, hostPlatform(), 'plugin', signal);
  const { layers } = manifest;
  const name = canonical(reference);
  if (layers.length === 0) throw invalidParameter(`the plugin ${name} has no layers`);
  if (layers.length > maxLayers) throw invalidParameter(`the plugin ${name} has more than ${maxLayers} layers`);
  const config = await fetchConfig(client, manifest.config, 'plugin', signal);
  return {
    reference,
    namedDigest: found.remote.digest,
    digest: remote.digest,
    text: remote.text,
    mediaType: remote.contentType.split(';')[0]?.trim() || mediaType.dockerManifest,
    config,
    manifest: readManifest(config, 'lenient'),
    layers,
  };
}

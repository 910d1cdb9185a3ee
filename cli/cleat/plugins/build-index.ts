import { digestOf } from '@cleat/engine/content/blobs';
import { formatPlatform, hostPlatform } from '@cleat/engine/content/platform';
import { familiar, parseReference, withDefaultTag } from '@cleat/engine/content/references';
import { chooseManifest, type ImageManifest, mediaType, parseManifest } from '@cleat/engine/distribution/manifest';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { dataLoss, invalidParameter } from '@cleat/protocol/errors';
import { readManifest } from '@cleat/protocol/plugins/manifest';
import { privilegesOf } from '@cleat/protocol/plugins/privileges';
import { kindsOf } from '@cleat/protocol/plugins/types';
import { type RegistryOptions, withPluginRegistry } from '../registry/registry.js';
import { send } from '../signing/sign.js';
import { type IndexEntry, indexType } from './document.js';

/** Looks a published plugin up in its registry. @throws InvalidParameter for what is none */
export async function entryFor(name: string, publisher: string, options: RegistryOptions): Promise<IndexEntry> {
  const reference = withDefaultTag(parseReference(name));
  return await withPluginRegistry(reference, 'pull', options, async (client) => {
    const top = await client.manifest(reference.digest ?? reference.tag ?? '', options.signal);
    const found = parseManifest(top.text, top.contentType, familiar(reference), 'plugin');
    const platforms = found.kind === 'list' ? found.manifests.map(({ platform }) => formatPlatform(platform)) : [];
    const own = found.kind === 'list' ? await oneOf(client, found, name, options.signal) : found;
    const config = await client.config(own.config.digest, options.signal);
    if (digestOf(config) !== own.config.digest) throw dataLoss(`the configuration of ${name} is damaged`);
    const manifest = readManifest(config.toString('utf8'), 'lenient');
    const kinds = kindsOf(manifest);
    return {
      name: familiar(reference),
      digest: top.digest,
      description: manifest.Description,
      documentation: manifest.Documentation,
      publisher,
      kinds: kinds.length > 0 ? kinds : (manifest.Interface.Types ?? []),
      // A plugin for one platform does not say for which.
      platforms,
      privileges: privilegesOf(manifest),
    };
  });
}

/** Their manifests differ in layers only; this host's is as good as any. */
async function oneOf(
  client: RegistryClient,
  list: Extract<ReturnType<typeof parseManifest>, { kind: 'list' }>,
  name: string,
  signal: AbortSignal,
): Promise<ImageManifest> {
  const chosen = chooseManifest(list, hostPlatform()) ?? list.manifests[0];
  if (!chosen) throw invalidParameter(`${name} is a list of no plugin`);
  const { text, contentType } = await client.manifest(chosen.digest, signal);
  const found = parseManifest(text, contentType, name, 'plugin');
  if (found.kind === 'list') throw invalidParameter(`${name} is a list of lists`);
  return found;
}

/** Brings an index to a registry. @returns its digest */
export async function pushIndex(text: string, place: string, options: RegistryOptions): Promise<string> {
  const reference = withDefaultTag(parseReference(place));
  return await withPluginRegistry(reference, 'push', options, async (client) => {
    const layer = await send(client, text, options.signal);
    const config = await send(client, '{}', options.signal);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaType.ociManifest,
      artifactType: indexType,
      config: { mediaType: 'application/vnd.oci.empty.v1+json', ...config },
      layers: [{ mediaType: indexType, ...layer }],
    });
    await client.putManifest(reference.tag ?? 'latest', mediaType.ociManifest, manifest, options.signal);
    return digestOf(manifest);
  });
}

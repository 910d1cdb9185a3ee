import type { DistributionInspect, RegistryAuth } from '@cleat/protocol/api/image';
import { isRecord, parseJson } from '@cleat/protocol/json';
import { type Reference, withDefaultTag } from '../content/references.js';
import type { RegistryClient } from './client.js';
import { withRegistry } from './connect.js';
import { pullError } from './errors.js';
import { fetchConfig } from './fetch.js';
import type { ImageManifest, ManifestList } from './manifest.js';
import { mediaTypeOf, named } from './resolve.js';
import type { Registries } from './service.js';

/**
 * `GET /distribution/{name}/json` (moby `daemon/server/router/distribution/distribution_routes.go`).
 * @throws the registry's errors, as a pull; InvalidParameter for what is no image
 */
export async function inspectRemote(
  registries: Registries,
  given: Reference,
  auth: RegistryAuth | undefined,
  signal: AbortSignal,
): Promise<DistributionInspect> {
  const reference = withDefaultTag(given);
  try {
    return await withRegistry(registries, { reference, access: 'pull', auth, signal }, async (client) => {
      const found = await named(client, reference, 'image', signal);
      const { remote, top } = found;
      const descriptor = {
        mediaType: mediaTypeOf(found),
        digest: remote.digest,
        size: Buffer.byteLength(remote.text),
      };
      return { Descriptor: descriptor, Platforms: await platformsOf(client, top, signal) };
    });
  } catch (error) {
    throw pullError(error, reference);
  }
}

type Platforms = DistributionInspect['Platforms'];

async function platformsOf(
  client: RegistryClient,
  top: ImageManifest | ManifestList,
  signal: AbortSignal,
): Promise<Platforms> {
  if (top.kind === 'list') return top.manifests.map(({ platform }) => platform);
  const config = parseJson(await fetchConfig(client, top.config, 'image', signal));
  if (!isRecord(config)) return null;
  const text = (key: string) => (typeof config[key] === 'string' ? config[key] : '');
  if (text('os') === '' && text('architecture') === '') return null;
  return [{ os: text('os'), architecture: text('architecture'), ...(text('variant') && { variant: text('variant') }) }];
}

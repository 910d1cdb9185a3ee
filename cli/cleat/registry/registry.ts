import type { Reference } from '@cleat/engine/content/references';
import { withRegistry } from '@cleat/engine/distribution/connect';
import type { RegistryClient } from '@cleat/engine/distribution/service';
import { silentLogger } from '@cleat/protocol/log';
import { credentialsFor } from './credentials.js';

export interface RegistryOptions {
  /** Registries (`HOST[:PORT]` or a subnet) that may be spoken to without a valid certificate, as the engine's option. */
  readonly insecure: readonly string[];
  readonly signal: AbortSignal;
}

/** Speaks to the registry of a plugin with the engine's client, and with the credentials of `docker login`. */
export async function withPluginRegistry<T>(
  reference: Reference,
  access: 'pull' | 'push',
  { insecure, signal }: RegistryOptions,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const config = { insecureRegistries: insecure, registryMirrors: [], maxConcurrentDownloads: 3 };
  const auth = await credentialsFor(reference.domain);
  return await withRegistry(
    { config, reach: undefined, log: silentLogger },
    { reference, access, contents: 'plugin', auth, signal },
    work,
  );
}

import { isClass, messageOf, systemError } from '@cleat/protocol/errors';
import { RegistryClient } from './client.js';
import { endpointsOf } from './endpoint.js';
import type { Connect, Registries } from './service.js';

/**
 * Tries the endpoints of a registry one after the other. What a mirror, or an endpoint that cannot be reached, throws
 * is logged, and the next is tried; `work` must not have reported anything by then.
 * @throws what the last one threw
 */
export async function withRegistry<T>(
  registries: Registries,
  { reference, access, contents, auth, signal }: Connect,
  work: (client: RegistryClient) => Promise<T>,
): Promise<T> {
  const endpoints = await endpointsOf(reference.domain, registries.config);
  let failure: unknown = systemError(`no endpoints found for ${reference.domain}`);
  for (const endpoint of endpoints) {
    if (access === 'push' && endpoint.mirror) continue;
    using client = new RegistryClient(endpoint, reference.path, access, auth, registries.reach, contents);
    try {
      await client.ping(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
      registries.log.debug(`registry endpoint ${endpoint.base.origin} failed: ${messageOf(error)}`);
      continue;
    }
    try {
      return await work(client);
    } catch (error) {
      if (!endpoint.mirror || signal.aborted || isClass(error, 'InvalidParameter')) throw error;
      failure = error;
      registries.log.warn(`registry mirror ${endpoint.base.origin} failed: ${messageOf(error)}`);
    }
  }
  throw failure;
}

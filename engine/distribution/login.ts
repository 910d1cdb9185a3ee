import type { RegistryAuth } from '@cleat/protocol/api/image';
import { invalidParameter, isClass, systemError } from '@cleat/protocol/errors';
import { RegistryClient } from './client.js';
import { endpointsOf } from './endpoint.js';
import type { Registries } from './service.js';

/**
 * `docker login`: asks the registry whether it takes the credentials; keeping them is the client's business. Mirrors
 * are not asked.
 * @throws Unauthorized, or why nobody could be asked
 */
export async function login(
  registries: Registries,
  auth: RegistryAuth,
  signal: AbortSignal,
): Promise<{ Status: string; IdentityToken: string }> {
  const domain = domainOf(auth.serveraddress ?? '');
  let failure: unknown = systemError(`no endpoints found for ${domain}`);
  for (const endpoint of await endpointsOf(domain, registries.config)) {
    if (endpoint.mirror) continue;
    try {
      using client = new RegistryClient(endpoint, '', 'pull', auth, registries.reach);
      await client.login(signal);
      return { Status: 'Login Succeeded', IdentityToken: '' };
    } catch (error) {
      if (signal.aborted || isClass(error, 'Unauthorized')) throw error;
      failure = error;
    }
  }
  throw failure;
}

/**
 * `https://index.docker.io/v1/`, which clients say for Docker Hub, or `host[:port]`, perhaps as a URL.
 * @throws InvalidParameter for what is no host, as Go's `url.Parse` says it
 */
function domainOf(address: string): string {
  const host = address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
  const url = /^https?:\/\//.test(address) ? address : `https://${address}`;
  const wrong = /[^\w.~:[\]-]/.exec(host.replace(/[\u0080-\uffff]/g, ''))?.[0];
  if (wrong !== undefined || /^\[[^\]]*$|^[^[]*\]|:[^\]\d]/.test(host)) {
    const why = wrong === undefined ? 'invalid host' : `invalid character ${JSON.stringify(wrong)} in host name`;
    throw invalidParameter(`unable to parse server address: parse ${JSON.stringify(url)}: ${why}`);
  }
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}

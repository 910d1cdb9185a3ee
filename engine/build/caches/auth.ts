import type { RegistryAuth } from '@cleat/protocol/api/image';
import type { BuildRequest } from '@cleat/protocol/kinds/builder';

/** Docker's own registry has several names where its credentials are kept. */
const dockerHub = ['docker.io', 'index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'];

/** Credentials for a registry's host, of those that a build has brought along. */
export function authFor(host: string, given: BuildRequest['RegistryAuth']): RegistryAuth | undefined {
  const names = host === 'docker.io' ? dockerHub : [host, `https://${host}`, `http://${host}`];
  const name = names.find((one) => given && Object.hasOwn(given, one));
  return name === undefined ? undefined : { serveraddress: name, ...given?.[name] };
}

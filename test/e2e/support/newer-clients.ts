import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Clients of a later Debian, as `packaging/newer-clients.sh` has unpacked them. */
const plugins = '/var/cache/cleat-newer-clients/root/usr/libexec/docker/cli-plugins';

/** buildx and Compose v2 are here; they are not where no mirror has them. */
export const hasNewerClients = ['docker-buildx', 'docker-compose'].every((name) => existsSync(join(plugins, name)));

/** A configuration of the docker CLI with them as its plugins. @returns its directory, for DOCKER_CONFIG */
export function newerClientsIn(directory: string): string {
  const config = join(directory, 'newer-clients');
  mkdirSync(join(config, 'cli-plugins'), { recursive: true });
  for (const name of ['docker-buildx', 'docker-compose']) {
    const link = join(config, 'cli-plugins', name);
    if (!existsSync(link)) symlinkSync(join(plugins, name), link);
  }
  return config;
}

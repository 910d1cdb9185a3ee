import { existsSync } from 'node:fs';
import { makeDirectories } from '@cleat/linux/files/make-directories';
import type { OwnMount } from './mounts.js';
import type { PluginNetwork } from './spec.js';
import type { PrivateNetwork, SandboxedPlugin } from './types.js';

export interface SandboxNetwork {
  readonly namespace: PluginNetwork;
  /** /etc/hosts and /etc/resolv.conf of a plugin that may speak to anybody. */
  readonly files: readonly OwnMount[];
  readonly ready: Promise<void>;
}

/**
 * - `host`: the host's interfaces.
 * - `bridge`: a namespace of its own, with a way out. (A stock engine gives it a namespace without any interface.)
 * - anything else: a namespace with nothing but loopback.
 *
 * @param directory for files of its network
 * @throws when there is no such network here
 */
export async function networkFor(
  network: Pick<PrivateNetwork, 'attach'>,
  { id, name, manifest }: SandboxedPlugin,
  directory: string,
): Promise<SandboxNetwork> {
  const type = manifest.Network.Type;
  if (type === 'bridge') {
    makeDirectories(directory, 0o711);
    const { namespace, hostsPath, resolvConfPath, ready } = await network.attach({ id, name }, directory);
    // It is awaited later, unless something else fails before.
    ready.catch(() => {});
    return { namespace: { kind: 'path', path: namespace }, files: files(hostsPath, resolvConfPath), ready };
  }
  return {
    namespace: { kind: type === 'host' ? 'host' : 'own' },
    files: type === '' ? [] : files('/etc/hosts', '/etc/resolv.conf'),
    ready: Promise.resolve(),
  };
}

const files = (hosts: string, resolvConf: string): OwnMount[] =>
  [
    { source: hosts, destination: '/etc/hosts', readOnly: true },
    { source: resolvConf, destination: '/etc/resolv.conf', readOnly: true },
  ].filter(({ source }) => existsSync(source));

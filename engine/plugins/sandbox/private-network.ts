import { unavailable } from '@cleat/protocol/errors';
import type { ContainerId } from '../../ids.js';
import type { NetworkHost } from '../../networks/service.js';
import type { PrivateNetwork } from './types.js';

/** Plugins on the engine's default bridge, as containers are that ask for nothing else; the networks' room sees no difference. */
export function onDefaultBridge(networks: Pick<NetworkHost, 'attach' | 'adopt' | 'detach'>): PrivateNetwork {
  return {
    async attach({ id, name }, directory) {
      const containerId = id as ContainerId;
      const { namespace, hostsPath, resolvConfPath, ready } = await networks.attach({
        containerId,
        containerName: name,
        hostname: id.slice(0, 12),
        domainname: '',
        networkMode: 'bridge',
        endpoints: { bridge: {} },
        exposedPorts: [],
        portBindings: {},
        publishAllPorts: false,
        dns: [],
        dnsSearch: [],
        dnsOptions: [],
        extraHosts: [],
        links: [],
        sysctls: {},
        directory,
        labels: {},
      });
      if (namespace.kind === 'path') return { namespace: namespace.path, hostsPath, resolvConfPath, ready };
      await networks.detach(containerId);
      throw unavailable('the plugin asks for a network of type bridge, and this engine has no default bridge');
    },
    adopt: (id) => networks.adopt(id as ContainerId),
    detach: (id) => networks.detach(id as ContainerId),
  };
}

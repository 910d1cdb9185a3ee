import { join } from 'node:path';
import { DurableMap, defineExtension, implement, networkKind, notFound, turns } from '@cleat/sdk';
import { assertForward, hostLinks, interfaceNames } from '@cleat/sdk/linux';

/** A network is a bridge; a container gets one end of a pair of interfaces, whose other end is on the bridge. */
export default defineExtension({
  options: {
    root: { default: '/var/lib/my-plugin', help: 'where it remembers its networks' },
    prefix: { default: 'my', help: 'what the names of its interfaces begin with: two or three characters' },
  },
  async start({ options, log, name }) {
    // Facts that must survive a crash are on disk; the kernel is asked for those that it knows.
    const networks = new DurableMap<{ bridge: string }>(join(options.root, 'networks'), log, { sync: true });
    const endpoints = new DurableMap<{ network: string }>(join(options.root, 'endpoints'), log);
    const links = hostLinks();
    // An engine that hangs up in the middle of a Join deletes the endpoint at once.
    const inTurn = turns();
    const outside = (endpoint: string) => `${options.prefix}${endpoint.slice(0, 9)}`;
    const inside = (endpoint: string) => `${outside(endpoint)}i`;
    const makeBridge = async (bridge: string) => {
      if (!interfaceNames().has(bridge))
        await links.run([`link add name ${bridge} type bridge`, `link set dev ${bridge} up`]);
      // Beside a dockerd the firewall drops what is forwarded, also between two ports of one bridge.
      await assertForward([bridge], `${name}-${bridge}`);
    };
    const bridgeOf = (network: string) => {
      const found = networks.get(network);
      if (!found) throw notFound(`network ${network} is not one of ${name}'s`);
      return found.bridge;
    };
    // After a reboot the names are known, and the devices are gone.
    for (const { bridge } of networks.values()) await makeBridge(bridge);

    const driver = implement(networkKind, {
      GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local' }),
      async CreateNetwork({ NetworkID }) {
        const bridge = `${options.prefix}-${NetworkID.slice(0, 9)}`;
        networks.set(NetworkID, { bridge });
        await makeBridge(bridge);
      },
      async DeleteNetwork({ NetworkID }) {
        const bridge = networks.get(NetworkID)?.bridge;
        // Engines ask again when they did not hear the answer.
        if (bridge === undefined) return;
        await links.remove(bridge);
        await assertForward([], `${name}-${bridge}`);
        networks.delete(NetworkID);
      },
      CreateEndpoint({ NetworkID, EndpointID }) {
        bridgeOf(NetworkID);
        endpoints.set(EndpointID, { network: NetworkID });
        // The address is in the request, from the IPAM driver. Answer with what you chose yourself, and nothing else.
        return {};
      },
      DeleteEndpoint: ({ EndpointID }) =>
        inTurn(EndpointID, async () => {
          await links.remove(outside(EndpointID));
          endpoints.delete(EndpointID);
        }),
      EndpointOperInfo: () => ({ Value: {} }),
      Join: ({ NetworkID, EndpointID }) =>
        inTurn(EndpointID, async () => {
          const bridge = bridgeOf(NetworkID);
          if (!endpoints.get(EndpointID)) throw notFound(`endpoint ${EndpointID} is not one of ${name}'s`);
          // The call may be a repetition, because nobody heard the first answer.
          await links.remove(outside(EndpointID));
          await links.run([
            `link add ${outside(EndpointID)} type veth peer name ${inside(EndpointID)}`,
            `link set dev ${outside(EndpointID)} master ${bridge} up`,
          ]);
          // The engine moves it into the container and names it eth0, eth1, …; without a gateway it adds one of its
          // own.
          return { InterfaceName: { SrcName: inside(EndpointID), DstPrefix: 'eth' } };
        }),
      Leave: () => {},
    });
    return {
      implementations: [driver],
      close() {
        networks.close();
        endpoints.close();
        links.close();
      },
    };
  },
});

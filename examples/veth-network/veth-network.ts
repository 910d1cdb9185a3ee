import { join } from 'node:path';
import { DurableMap, defineExtension, implement, networkKind, notFound, turns } from '@cleat/sdk';
import { assertForward, hostLinks, interfaceNames } from '@cleat/sdk/linux';

/** An endpoint's network; its interfaces are named after its own ID. */
interface Endpoint {
  networkId: string;
}

/** A network is a bridge without addresses; a container gets one end of a veth pair, whose other end is on it. */
export default defineExtension({
  options: {
    root: { default: '/var/lib/veth-network', help: 'directory of what it knows' },
    // Kept apart, so that two of these plugins on one host stay out of each other's way.
    prefix: { default: 'vn', help: 'what the names of its interfaces begin with' },
  },
  async start({ options: { root, prefix }, log }) {
    const networks = new DurableMap<{ bridge: string }>(join(root, 'networks.journal'), log, { sync: true });
    const endpoints = new DurableMap<Endpoint>(join(root, 'endpoints.journal'), log);
    const links = hostLinks();
    /** An engine that hangs up in the middle of a Join deletes the endpoint at once. */
    const inTurn = turns();

    const outside = (endpointId: string) => `${prefix}${endpointId.slice(0, 9)}`;
    const inside = (endpointId: string) => `${outside(endpointId)}i`;
    const ensureBridge = async (bridge: string) => {
      if (interfaceNames().has(bridge)) return;
      links.forget();
      await links.run([`link add name ${bridge} type bridge`, `link set dev ${bridge} up`]);
    };
    /** Beside a dockerd the host's firewall drops what is forwarded, also between two ports of one bridge. */
    const letThrough = () =>
      assertForward(
        networks.values().map(({ bridge }) => bridge),
        `${prefix}-network`,
      );
    const bridgeOf = (networkId: string) => {
      const network = networks.get(networkId);
      if (!network) throw notFound(`network ${networkId} not found`);
      return network.bridge;
    };

    // After a reboot of the host the names are known and the devices are gone.
    for (const { bridge } of networks.values()) await ensureBridge(bridge);
    await letThrough();

    const driver = implement(networkKind, {
      GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local' }),
      async CreateNetwork({ NetworkID }) {
        const bridge = `${prefix}-${NetworkID.slice(0, 12 - prefix.length)}`;
        networks.set(NetworkID, { bridge });
        await ensureBridge(bridge);
        await letThrough();
      },
      async DeleteNetwork({ NetworkID }) {
        const bridge = bridgeOf(NetworkID);
        await links.remove(bridge);
        networks.delete(NetworkID);
        await letThrough();
      },
      CreateEndpoint({ NetworkID, EndpointID }) {
        bridgeOf(NetworkID);
        endpoints.set(EndpointID, { networkId: NetworkID });
        // Addresses are the IPAM driver's business, and the MAC address is the kernel's.
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
          if (!endpoints.get(EndpointID)) throw notFound(`endpoint ${EndpointID} not found`);
          // A Join that is repeated, because nobody heard the first answer.
          await links.remove(outside(EndpointID));
          await letThrough();
          await links.run([
            `link add ${outside(EndpointID)} type veth peer name ${inside(EndpointID)}`,
            `link set dev ${outside(EndpointID)} master ${bridge} up`,
          ]);
          // No gateway: the engine connects the container to the world by its own gateway network.
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

import { netlabel } from '@cleat/protocol/kinds/network';
import { type DurableMap, type Handlers, invalidParameter, type networkKind, notFound, turns } from '@cleat/sdk';
import { formatAddress, parseCidr } from '@cleat/sdk/addresses';
import { endpointNames, nameLines } from '@cleat/sdk/networks';
import { type Addresses, macOf } from './cluster/addresses.js';
import { agreeOnEncryption, networkOf, type SharedNetworks, takeAux } from './cluster/networks.js';
import type { SharedValue } from './cluster/shared-value.js';
import type { Devices } from './host/devices.js';
import type { Fabric, LocalEndpoint, LocalNetwork } from './host/fabric.js';

export interface DriverSettings {
  host: string;
  /** The plugin's own name, for advice. */
  name: string;
  scope: string;
  shared: SharedValue<SharedNetworks>;
  networks: DurableMap<LocalNetwork>;
  endpoints: DurableMap<LocalEndpoint>;
  addresses: Addresses;
  devices: Devices;
  fabric: Fabric;
  /** Tells other hosts how to reach this one. @throws Unavailable */
  announce(): Promise<void>;
}

export function networkDriver(settings: DriverSettings): Handlers<typeof networkKind> {
  const { host, name, scope, shared, networks, endpoints, addresses, devices, fabric, announce } = settings;
  /** An engine that hangs up in the middle of a Join deletes the endpoint at once. */
  const inTurn = turns();
  /** @returns whether a container may have an address of this host that no container has claimed */
  const adopt = async (network: string, address: string): Promise<boolean> => {
    const pool = await shared.change((all) => takeAux(all, network, address, host));
    if (pool === undefined) return false;
    await addresses.claim({ network, pool, range: '', requested: address, holder: '', container: '' });
    return true;
  };

  return {
    // No address of a network is its gateway's: containers reach the world by the engine's gateway network.
    GetCapabilities: () => ({ Scope: scope, ConnectivityScope: 'global', GwAllocChecker: true, SharesNames: true }),
    GwAllocCheck: () => ({ SkipIPv4: true, SkipIPv6: true }),
    async CreateNetwork({ NetworkID, Options, IPv4Data, IPv6Data }) {
      const { encrypted, mtu } = readOptions(Options?.[netlabel.generic]);
      const pools = [...IPv4Data, ...IPv6Data].map(({ Pool = '' }) => Pool);
      const isNew = networks.get(NetworkID) === undefined;
      try {
        if (encrypted) await fabric.ensureWireguard();
        const made = await shared.change((all) => {
          const found = networkOf(all, pools, host, name);
          agreeOnEncryption(found.name, found.network, encrypted);
          return { name: found.name, vni: found.network.vni };
        });
        networks.set(NetworkID, { ...made, encrypted, mtu: mtu || (await fabric.mtu(encrypted)), pools });
        if (encrypted) await announce();
        await fabric.ensure(NetworkID);
        await fabric.assertRules();
      } catch (error) {
        // The engine does not delete a network that was refused; but one that it tells of again has containers.
        if (isNew) await fabric.remove(NetworkID);
        throw error;
      }
    },
    async DeleteNetwork({ NetworkID }) {
      await fabric.remove(NetworkID);
      await fabric.assertRules();
    },
    async CreateEndpoint({ NetworkID, EndpointID, Interface, Options }) {
      const { name: network } = fabric.network(NetworkID);
      const given = [Interface?.Address, Interface?.AddressIPv6].flatMap((cidr) =>
        cidr ? formatAddress(parseCidr(cidr).address) : [],
      );
      const own = new Set(addresses.ownOn(network).map(({ address }) => address));
      for (const address of given) if (!own.has(address) && (await adopt(network, address))) own.add(address);
      const foreign = given.find((address) => !own.has(address));
      if (foreign !== undefined || !given[0]) {
        const found = foreign === undefined ? '' : `, and ${foreign} is none`;
        throw invalidParameter(`containers need an address that this host has of --ipam-driver ${name}${found}`);
      }
      const mac = macOf(given[0]);
      if (Interface?.MacAddress && Interface.MacAddress.toLowerCase() !== mac) {
        throw invalidParameter(
          `a MAC address follows from the address here, so that both move together: leave out ${Interface.MacAddress}`,
        );
      }
      const names = endpointNames(Options);
      const more = { mac, ...(names.length > 0 ? { names } : {}) };
      for (const address of given) await addresses.describe(network, address, more);
      endpoints.set(EndpointID, { networkId: NetworkID, addresses: given });
      return Interface?.MacAddress ? {} : { Interface: { MacAddress: mac } };
    },
    DeleteEndpoint: ({ EndpointID }) =>
      inTurn(EndpointID, async () => {
        await devices.leave(EndpointID);
        endpoints.delete(EndpointID);
      }),
    EndpointOperInfo: () => ({ Value: {} }),
    Join: ({ NetworkID, EndpointID }) =>
      inTurn(EndpointID, async () => {
        const network = fabric.network(NetworkID);
        if (!endpoints.get(EndpointID)) throw notFound(`endpoint ${EndpointID} not found`);
        await fabric.ensure(NetworkID);
        await fabric.assertRules();
        const inside = await devices.join(NetworkID, EndpointID, network.mtu);
        return { InterfaceName: { SrcName: inside, DstPrefix: 'eth' } };
      }),
    Leave: () => {},
    async RenameEndpoint({ NetworkID, EndpointID, Names }) {
      const { name: network } = fabric.network(NetworkID);
      const endpoint = endpoints.get(EndpointID);
      if (!endpoint) throw notFound(`endpoint ${EndpointID} not found`);
      for (const address of endpoint.addresses) await addresses.describe(network, address, { names: Names });
    },
    async WatchNames({ NetworkID }, { signal }) {
      fabric.network(NetworkID);
      const onChange = (listener: () => void) => fabric.onNews(listener);
      return nameLines({ current: () => fabric.namesOn(NetworkID), onChange }, signal);
    },
  };
}

/** The options of `docker network create -o`. @throws InvalidParameter for what is not known */
function readOptions(generic: unknown): { encrypted: boolean; mtu: number } {
  const options = typeof generic === 'object' && generic !== null ? (generic as Record<string, unknown>) : {};
  const known = ['encrypted', netlabel.mtu];
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown !== undefined) throw invalidParameter(`-o ${unknown} is not known: there are ${known.join(' and ')}`);
  const { encrypted = 'false', [netlabel.mtu]: mtu = '0' } = options;
  if (!['', 'true', 'false'].includes(String(encrypted)))
    throw invalidParameter(`-o encrypted=${encrypted}: true or false`);
  if (!/^\d{1,5}$/.test(String(mtu))) throw invalidParameter(`-o ${netlabel.mtu}=${mtu}: a number of bytes`);
  return { encrypted: encrypted !== 'false', mtu: Number(mtu) };
}

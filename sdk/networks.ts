/** Write a network driver: one that makes no interface, one whose interfaces are links on the host's, one that spans hosts, with names. */
import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import { decode } from '@cleat/protocol/json';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import { NodeDiscoveryData, type networkKind, nodeDiscovery } from '@cleat/protocol/kinds/network';

type NetworkHandlers = Handlers<typeof networkKind>;

export { endpointNames, type NameSource, nameLines } from './networks/names.js';
export { SubLinkDriver, type SubLinkSettings } from './networks/sub-link-driver.js';
export type { SubLink, SubLinkEndpoint, SubLinkHost, SubLinkNetwork, SubLinkType } from './networks/sub-links.js';

/**
 * Driver of a network on which a container has no interface of its own: its capabilities say what the engine does
 * instead, and all other calls have nothing to do.
 * @param sandbox the container is in the host's namespace, or in one with a loopback only
 */
export function networkWithoutInterfaces(sandbox: 'host' | 'none'): NetworkHandlers {
  return {
    GetCapabilities: () => ({ Scope: 'local', ConnectivityScope: 'local', Sandbox: sandbox }),
    CreateNetwork: () => {},
    DeleteNetwork: () => {},
    CreateEndpoint: () => ({}),
    DeleteEndpoint: () => {},
    EndpointOperInfo: () => ({ Value: {} }),
    Join: () => ({}),
    Leave: () => {},
  };
}

/**
 * The hosts that an engine told a driver of: by a swarm (Docker), or by its operator (Cleat: `--node-address` and
 * `--node-list`). They are told again whenever engine or driver starts, so none of it need be kept.
 */
export class DiscoveredNodes {
  #self: NodeDiscoveryData | undefined;
  readonly #others = new Set<string>();

  /** This host; undefined while nobody has told. */
  get self(): Readonly<NodeDiscoveryData> | undefined {
    return this.#self;
  }

  /** Addresses of the other hosts. */
  get others(): ReadonlySet<string> {
    return this.#others;
  }

  /**
   * The handlers of the driver that hear of nodes.
   * @param changed called after a change, before the engine has its answer; what it throws is the answer
   */
  handlers(
    changed: () => Promise<void> | void = () => {},
  ): Required<Pick<NetworkHandlers, 'DiscoverNew' | 'DiscoverDelete'>> {
    return {
      DiscoverNew: async (request) => {
        const node = read(request);
        if (!node) return;
        if (node.Self) this.#self = node;
        else this.#others.add(node.Address);
        await changed();
      },
      DiscoverDelete: async (request) => {
        const node = read(request);
        if (!node) return;
        if (this.#self?.Address === node.Address) this.#self = undefined;
        else this.#others.delete(node.Address);
        await changed();
      },
    };
  }
}

/** @returns undefined for news of something else. @throws InvalidParameter */
function read(request: { DiscoveryType: number; DiscoveryData: unknown }): NodeDiscoveryData | undefined {
  if (request.DiscoveryType !== nodeDiscovery) return undefined;
  const node = decode(NodeDiscoveryData, request.DiscoveryData, 'DiscoveryData');
  const address = tryParseAddress(node.Address);
  if (!address) throw invalidParameter(`DiscoveryData: ${JSON.stringify(node.Address)} is not an IP address`);
  return { ...node, Address: formatAddress(address) };
}

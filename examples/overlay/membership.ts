import { hostname } from 'node:os';
import { isClass, messageOf } from '@cleat/protocol/errors';
import { type DurableMap, type Logger, turns } from '@cleat/sdk';
import type { Addresses } from './cluster/addresses.js';
import type { Keys } from './cluster/keys.js';
import { rejoin, type SharedNetworks } from './cluster/networks.js';
import type { SharedHost } from './cluster/shared.js';
import type { SharedValue } from './cluster/shared-value.js';
import type { Etcd } from './etcd/etcd.js';
import type { Session } from './etcd/session.js';
import type { Fabric, LocalNetwork } from './host/fabric.js';

export interface MembershipSettings {
  address: string;
  /** For hosts that have encrypted networks. */
  wireguard: { publicKey: string; port: number };
  etcd: Etcd;
  keys: Keys;
  session: Session;
  shared: SharedValue<SharedNetworks>;
  networks: DurableMap<LocalNetwork>;
  addresses: Addresses;
  fabric: Fabric;
  log: Logger;
}

/** This host's part in the cluster: what it says of itself, and how it comes back after a time of silence. */
export class Membership {
  readonly #settings: MembershipSettings;
  readonly #inTurn = turns();

  constructor(settings: MembershipSettings) {
    this.#settings = settings;
  }

  /** IDs of the hosts that etcd has heard of lately. */
  async living(): Promise<ReadonlySet<string>> {
    const { etcd, keys } = this.#settings;
    const { entries } = await etcd.list(keys.hosts);
    return new Set(entries.map(({ key }) => keys.readHost(key)));
  }

  /** Says where this host is, and by which key if it has encrypted networks. */
  announce(): Promise<void> {
    const { address, wireguard, etcd, keys, session, networks } = this.#settings;
    // One after the other: what was true before the first encrypted network must not be written after it.
    return this.#inTurn('announce', async () => {
      const encrypts = networks.values().some(({ encrypted }) => encrypted);
      const own: SharedHost = { name: hostname(), address, ...(encrypts ? { wireguard } : {}) };
      const value = JSON.stringify(own);
      await session.withLeases(({ lease }) => etcd.commit([], [{ put: keys.host(session.host), value, lease }]));
    });
  }

  /**
   * Agrees with the other hosts, at first and after each time of silence. What others have got meanwhile is theirs:
   * who had it here is cut off.
   */
  async agree(): Promise<void> {
    const { networks, addresses, fabric } = this.#settings;
    await this.announce();
    for (const [id, network] of networks.entries()) await this.#rejoin(id, network);
    await fabric.cutOff(await addresses.reclaim());
  }

  async #rejoin(id: string, network: LocalNetwork): Promise<void> {
    const { networks, shared, session, fabric, log } = this.#settings;
    try {
      // It may be removed while etcd is asked; its subnets are given back then, and must not be taken again.
      const joined = await shared.change((all) => networks.get(id) && rejoin(all, network, session.host, id));
      if (joined) await fabric.renumber(id, joined.vni);
    } catch (error) {
      if (!isRefused(error)) throw error;
      log.error('a network is cut off from other hosts', { network: network.name, error: messageOf(error) });
      await fabric.renumber(id, undefined);
    }
  }
}

/** Others decided; etcd answered. */
const isRefused = (error: unknown): boolean => isClass(error, 'Forbidden') || isClass(error, 'InvalidParameter');

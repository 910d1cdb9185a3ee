import { unavailable } from '@cleat/sdk';
import type { LinkNamespace } from './link-namespace.js';

/** A container on another host. */
export interface Neighbour {
  address: string;
  mac: string;
  /** Where its host is. */
  host: string;
}

/** The kernel's tables of one VXLAN link. */
export interface Known {
  /** MAC addresses, by the containers' addresses. */
  macs: Map<string, string>;
  /** Hosts, by MAC addresses. */
  hosts: Map<string, string>;
}

/** Commands that make one of the other. */
export interface Steps {
  /** Lines for `ip -batch` */
  ip: string[];
  /** Lines for `bridge -batch` */
  bridge: string[];
}

export const knownOf = (neighbours: readonly Neighbour[]): Known => ({
  macs: new Map(neighbours.map(({ address, mac }) => [address, mac])),
  hosts: new Map(neighbours.map(({ mac, host }) => [mac, host])),
});

/** The way from `before` to `after`, on that link: additions come first, so that nothing is cut in between. */
export function steps(link: string, before: Known, after: Known): Steps {
  const newHosts = [...after.hosts].filter(([mac, host]) => before.hosts.get(mac) !== host);
  const oldMacs = [...before.hosts.keys()].filter((mac) => !after.hosts.has(mac));
  const newNeighbours = [...after.macs].filter(([address, mac]) => before.macs.get(address) !== mac);
  const oldAddresses = [...before.macs.keys()].filter((address) => !after.macs.has(address));
  return {
    ip: [
      ...newNeighbours.map(([address, mac]) => `neigh replace ${address} lladdr ${mac} dev ${link} nud permanent`),
      ...oldAddresses.map((address) => `neigh delete ${address} dev ${link}`),
    ],
    bridge: [
      ...newHosts.flatMap(([mac, host]) => [
        // The bridge is told, too, or it would send what is for one container to all of them.
        `fdb replace ${mac} dev ${link} master static`,
        `fdb replace ${mac} dev ${link} dst ${host} self permanent`,
      ]),
      // By the one that comes last it is found: who is killed in between does both again.
      ...oldMacs.flatMap((mac) => [`fdb delete ${mac} dev ${link} master`, `fdb delete ${mac} dev ${link} self`]),
    ],
  };
}

interface FdbRow {
  mac?: string;
  dst?: string;
  master?: string;
  flags?: string[];
}
interface NeighRow {
  dst?: string;
  lladdr?: string;
}

/** Tells the kernel where the containers of other hosts are. */
export class Neighbours {
  readonly #namespace: LinkNamespace;
  /** By link: what the kernel was told. Absent: it is to be asked. */
  readonly #told = new Map<string, Known>();

  /** @param namespace where its links are */
  constructor(namespace: LinkNamespace) {
    this.#namespace = namespace;
  }

  /** Its link was made anew or removed. */
  forget(link: string): void {
    this.#told.delete(link);
  }

  /** @throws Unavailable with what `ip` or `bridge` said */
  async tell(link: string, neighbours: readonly Neighbour[]): Promise<void> {
    const before = this.#told.get(link) ?? (await this.#readKnown(link));
    const after = knownOf(neighbours);
    this.#told.delete(link);
    const { ip, bridge } = steps(link, before, after);
    if (bridge.length > 0) await this.#runBridge(bridge);
    await this.#namespace.run(ip);
    this.#told.set(link, after);
  }

  async #runBridge(lines: readonly string[]): Promise<void> {
    // One entry that is gone already must not keep the others.
    const input = `${lines.join('\n')}\n`;
    const { code, stderr } = await this.#namespace.command('bridge', ['-force', '-batch', '-'], { input });
    if (code !== 0) throw unavailable(`bridge: ${stderr.trim()}`);
  }

  /** Reads the tables that an earlier run of the plugin filled. */
  async #readKnown(link: string): Promise<Known> {
    const [fdb, neighbours] = await Promise.all([
      this.#read<FdbRow>('bridge', ['-j', 'fdb', 'show', 'dev', link]),
      this.#read<NeighRow>('ip', ['-j', 'neigh', 'show', 'dev', link]),
    ]);
    const bridged = new Set(fdb.flatMap(({ mac, master }) => (master ? mac : [])));
    return {
      hosts: new Map(
        fdb.flatMap(({ mac = '', dst, flags = [] }): [string, string][] =>
          // No host's, where the bridge was not told or has forgotten: then it is told again.
          dst && flags.includes('self') ? [[mac, bridged.has(mac) ? dst : '']] : [],
        ),
      ),
      macs: new Map(
        neighbours.flatMap(({ dst, lladdr }): [string, string][] => (dst && lladdr ? [[dst, lladdr]] : [])),
      ),
    };
  }

  async #read<T>(command: string, args: readonly string[]): Promise<T[]> {
    const { code, stdout, stderr } = await this.#namespace.command(command, args);
    if (code !== 0) throw unavailable(`${command} ${args.join(' ')}: ${stderr.trim()}`);
    const rows: unknown = JSON.parse(stdout || '[]');
    return Array.isArray(rows) ? rows : [];
  }
}

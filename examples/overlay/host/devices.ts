import { invalidParameter } from '@cleat/sdk';
import { hostLinks } from '@cleat/sdk/linux';
import type { LinkNamespace } from './link-namespace.js';

/** How a network reaches other hosts. */
export interface Tunnel {
  vni: number;
  /** The address to send from. */
  local: string;
  /** UDP, the same on all hosts. */
  port: number;
  /** The interface that its packets must take; absent: the kernel's routes say. */
  through?: string | undefined;
}

/**
 * The links of this host: for each network a bridge with a VXLAN link on it, for each container a pair whose one end is
 * on the bridge. Nothing is flooded to other hosts, and nothing is learnt from their packets: etcd says who is where.
 */
export class Devices {
  readonly #prefix: string;
  readonly #namespace: LinkNamespace;
  readonly #links = hostLinks();
  /** Networks whose links this run of the plugin has seen to. */
  readonly #complete = new Set<string>();
  /** Links inside, as they were when somebody last looked. */
  #seen: Promise<Set<string>> | undefined;

  /** @throws InvalidParameter for a prefix with which names of links would be too long */
  constructor(prefix: string, namespace: LinkNamespace) {
    if (!/^[a-z][a-z\d]{0,3}$/.test(prefix)) {
      throw invalidParameter(`--prefix ${prefix}: a small letter, and up to three more or digits`);
    }
    this.#prefix = prefix;
    this.#namespace = namespace;
  }

  bridge(networkId: string): string {
    return `${this.#prefix}-${networkId.slice(0, 9)}`;
  }

  vxlan(networkId: string): string {
    return `${this.#prefix}x-${networkId.slice(0, 9)}`;
  }

  /** The end of a container's pair that is on the bridge. */
  outside(endpointId: string): string {
    return `${this.#prefix}${endpointId.slice(0, 9)}`;
  }

  /** The container's own end, on the host until its engine fetches it. */
  inside(endpointId: string): string {
    return `${this.outside(endpointId)}i`;
  }

  /** Somebody may have removed links: the next {@link ensure} looks which are there. */
  lookAgain(): void {
    this.#seen = undefined;
  }

  /**
   * Makes what is not there.
   * @param tunnel absent: the network is on this host alone
   * @returns whether anything was made: nobody knows then what the VXLAN link was told
   */
  async ensure(networkId: string, mtu: number, tunnel: Tunnel | undefined): Promise<boolean> {
    const [bridge, vxlan, seen] = [this.bridge(networkId), this.vxlan(networkId), await this.#look()];
    const lacks = { bridge: !seen.has(bridge), vxlan: tunnel !== undefined && !seen.has(vxlan) };
    if (!lacks.bridge && !lacks.vxlan && this.#complete.has(networkId)) return false;
    this.#complete.delete(networkId);
    const session = await this.#namespace.enter();
    try {
      // Made here and put there: its packets take the routes and the firewall of the host.
      this.#links.forget();
      if (tunnel && lacks.vxlan) await this.#links.run([vxlanCommand(vxlan, session.pid, mtu, tunnel)]);
    } catch (error) {
      session.abandon();
      throw error;
    }
    // The addresses of containers are looked up where a bridge would listen for multicast.
    const make = `link add name ${bridge} mtu ${mtu} type bridge mcast_snooping 0`;
    await session.configure([
      ...(lacks.bridge ? [make, `link set dev ${bridge} addrgenmode none`] : []),
      // Also of links that are there: a plugin that was killed may not have come that far.
      `link set dev ${bridge} up`,
      ...(tunnel ? portCommands(vxlan, bridge) : []),
    ]);
    this.#complete.add(networkId);
    this.lookAgain();
    return true;
  }

  async #look(): Promise<Set<string>> {
    this.#seen ??= this.#namespace.names();
    try {
      return await this.#seen;
    } catch (error) {
      this.lookAgain();
      throw error;
    }
  }

  /** From other hosts alone. */
  async disconnect(networkId: string): Promise<void> {
    await this.#namespace.removeLinks(this.vxlan(networkId));
    this.lookAgain();
  }

  async remove(networkId: string): Promise<void> {
    await this.#namespace.removeLinks(this.vxlan(networkId), this.bridge(networkId));
    this.lookAgain();
  }

  /** After the last network. */
  removeAll(): void {
    this.#namespace.remove();
    this.lookAgain();
  }

  /** A container's pair, made anew. @returns the name of the end that is for the container */
  async join(networkId: string, endpointId: string, mtu: number): Promise<string> {
    const [outside, inside] = [this.outside(endpointId), this.inside(endpointId)];
    await this.leave(endpointId);
    const here = process.pid;
    await this.#namespace.run([
      `link add name ${outside} mtu ${mtu} type veth peer name ${inside} mtu ${mtu} netns ${here}`,
      `link set dev ${outside} addrgenmode none`,
      `link set dev ${outside} master ${this.bridge(networkId)} up`,
    ]);
    return inside;
  }

  async leave(endpointId: string): Promise<void> {
    await this.#namespace.removeLinks(this.outside(endpointId));
  }

  /** Cuts a container off: its address is another one's now. */
  async cutOff(endpointId: string): Promise<void> {
    const outside = this.outside(endpointId);
    const there = await this.#namespace.names();
    if (there.has(outside)) await this.#namespace.run([`link set dev ${outside} nomaster down`]);
  }

  close(): void {
    this.#links.close();
  }
}

/** `proxy`: the kernel answers for the containers of other hosts, whose addresses it is told, and asks nobody. */
function vxlanCommand(vxlan: string, pid: number, mtu: number, { vni, local, port, through }: Tunnel): string {
  const from = `local ${local}${through ? ` dev ${through}` : ''}`;
  const rest = `id ${vni} ${from} dstport ${port} nolearning proxy`;
  return `link add name ${vxlan} netns ${pid} mtu ${mtu} type vxlan ${rest}`;
}

/** Packets for an unknown receiver stay on this host; broadcasts get to the VXLAN link, which answers them itself. */
const portCommands = (vxlan: string, bridge: string): string[] => [
  `link set dev ${vxlan} addrgenmode none`,
  `link set dev ${vxlan} master ${bridge} up`,
  `link set dev ${vxlan} type bridge_slave learning off flood off`,
];

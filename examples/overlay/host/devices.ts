import { invalidParameter, unavailable } from '@cleat/sdk';
import { assertForward, hostLinks, interfaceNames, runCommand } from '@cleat/sdk/linux';

/** How a network reaches other hosts. */
export interface Tunnel {
  vni: number;
  /** The address to send from. */
  local: string;
  /** UDP, the same on all hosts. */
  port: number;
  mtu: number;
  /** The interface that its packets must take; absent: the kernel's routes say. */
  through?: string | undefined;
}

/**
 * The links of this host: for each network a bridge with a VXLAN link on it, for each container a pair whose one end is
 * on the bridge. Nothing is flooded to other hosts, and nothing is learnt from their packets: etcd says who is where.
 */
export class Devices {
  readonly #prefix: string;
  readonly #links = hostLinks();
  /** Networks whose links this run of the plugin has seen to. */
  readonly #complete = new Set<string>();

  /** @throws InvalidParameter for a prefix with which names of links would be too long */
  constructor(prefix: string) {
    if (!/^[a-z][a-z\d]{0,3}$/.test(prefix)) {
      throw invalidParameter(`--prefix ${prefix}: a small letter, and up to three more or digits`);
    }
    this.#prefix = prefix;
  }

  bridge(networkId: string): string {
    return `${this.#prefix}-${networkId.slice(0, 9)}`;
  }

  vxlan(networkId: string): string {
    return `${this.#prefix}x-${networkId.slice(0, 9)}`;
  }

  /** The end of a container's pair that stays on the host. */
  outside(endpointId: string): string {
    return `${this.#prefix}${endpointId.slice(0, 9)}`;
  }

  inside(endpointId: string): string {
    return `${this.outside(endpointId)}i`;
  }

  /** Makes what is not there. @returns whether the VXLAN link was made */
  async ensure(networkId: string, tunnel: Tunnel): Promise<boolean> {
    const [bridge, vxlan, names] = [this.bridge(networkId), this.vxlan(networkId), interfaceNames()];
    const there = { bridge: names.has(bridge), vxlan: names.has(vxlan) };
    if (there.bridge && there.vxlan && this.#complete.has(networkId)) return false;
    this.#links.forget();
    // The addresses of containers are looked up where a bridge would listen for multicast.
    const make = `link add name ${bridge} mtu ${tunnel.mtu} type bridge mcast_snooping 0`;
    if (!there.bridge) await this.#links.run([make, `link set dev ${bridge} addrgenmode none`]);
    if (!there.vxlan) await this.#links.run(vxlanCommands(vxlan, tunnel));
    // Also of links that are there: a plugin that was killed may not have come that far.
    await this.#links.run([`link set dev ${bridge} up`, `link set dev ${vxlan} master ${bridge} up`]);
    await portSettings(vxlan);
    this.#complete.add(networkId);
    return !there.vxlan;
  }

  /** From other hosts alone. */
  async disconnect(networkId: string): Promise<void> {
    await this.#links.remove(this.vxlan(networkId));
  }

  async remove(networkId: string): Promise<void> {
    await this.disconnect(networkId);
    await this.#links.remove(this.bridge(networkId));
  }

  /** A container's pair, made anew. @returns the name of the end that is for the container */
  async join(networkId: string, endpointId: string, mtu: number): Promise<string> {
    const [outside, inside] = [this.outside(endpointId), this.inside(endpointId)];
    await this.#links.remove(outside);
    await this.#links.run([
      `link add name ${outside} mtu ${mtu} type veth peer name ${inside} mtu ${mtu}`,
      `link set dev ${outside} addrgenmode none`,
      `link set dev ${outside} master ${this.bridge(networkId)} up`,
    ]);
    return inside;
  }

  async leave(endpointId: string): Promise<void> {
    await this.#links.remove(this.outside(endpointId));
  }

  /** Cuts a container off: its address is another one's now. */
  async cutOff(endpointId: string): Promise<void> {
    const outside = this.outside(endpointId);
    if (interfaceNames().has(outside)) await this.#links.run([`link set dev ${outside} nomaster down`]);
  }

  /** Beside a dockerd the host's firewall drops what is forwarded, also between two ports of one bridge. */
  async letThrough(networkIds: readonly string[]): Promise<void> {
    const bridges = networkIds.map((id) => this.bridge(id));
    const tag = `${this.#prefix}-overlay`;
    await Promise.all([assertForward(bridges, tag), assertForward(bridges, tag, true)]);
  }

  close(): void {
    this.#links.close();
  }
}

/** `proxy`: the kernel answers for the containers of other hosts, whose addresses it is told, and asks nobody. */
function vxlanCommands(vxlan: string, { vni, local, port, mtu, through }: Tunnel): string[] {
  const from = `local ${local}${through ? ` dev ${through}` : ''}`;
  return [
    `link add name ${vxlan} mtu ${mtu} type vxlan id ${vni} ${from} dstport ${port} nolearning proxy`,
    `link set dev ${vxlan} addrgenmode none`,
  ];
}

/** Packets for an unknown receiver stay on this host; broadcasts get to the VXLAN link, which answers them itself. */
async function portSettings(vxlan: string): Promise<void> {
  const { code, stderr } = await runCommand('bridge', ['link', 'set', 'dev', vxlan, 'learning', 'off', 'flood', 'off']);
  if (code !== 0) throw unavailable(`bridge link set dev ${vxlan}: ${stderr.trim()}`);
}

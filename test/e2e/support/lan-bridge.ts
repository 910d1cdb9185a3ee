import { run } from '@cleat/linux/process/run';
import type { Lan } from './lan.js';

/** A bridge that this host's administrator made: the cable into a LAN is its port, and the host has its address there. */
export class LanBridge implements AsyncDisposable {
  readonly name: string;
  /** The host's own, on that LAN. */
  readonly host: string;
  readonly #lan: Lan;

  private constructor(lan: Lan) {
    this.#lan = lan;
    this.name = `br${lan.parent}`;
    this.host = `${lan.prefix}.2`;
  }

  static async start(lan: Lan): Promise<LanBridge> {
    const bridge = new LanBridge(lan);
    try {
      await bridge.make();
    } catch (error) {
      await bridge.remove();
      throw error;
    }
    return bridge;
  }

  /** It has no MAC address of its own, as most have it: it takes the lowest one of its ports'. */
  async make(): Promise<void> {
    await ip('link', 'add', this.name, 'type', 'bridge');
    await ip('link', 'set', 'dev', this.name, 'addrgenmode', 'none', 'up');
    await ip('address', 'add', `${this.host}/24`, 'dev', this.name);
    await ip('link', 'set', 'dev', this.#lan.parent, 'master', this.name);
  }

  /** The cable stays. */
  async remove(): Promise<void> {
    await run('ip', ['link', 'delete', this.name]);
  }

  /** All that somebody might have changed: addresses, MTU, settings and ports. */
  async facts(): Promise<unknown> {
    const [device = {}] = JSON.parse(await ip('-j', '-d', 'address', 'show', 'dev', this.name)) as Device[];
    const ports = JSON.parse(await ip('-j', 'link', 'show', 'master', this.name)) as Device[];
    const settings = await ip('route', 'show', 'dev', this.name);
    const { address, mtu, flags, addr_info, ifalias, linkinfo = {} } = device;
    const { vlan_filtering, stp_state, forward_delay } = linkinfo.info_data ?? {};
    const addresses = addr_info?.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
    return {
      ...{ address, mtu, flags, addresses, ifalias, vlan_filtering, stp_state, forward_delay, settings },
      ports: ports.map(({ ifname }) => ifname),
    };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

interface Device {
  ifname?: string;
  address?: string;
  mtu?: number;
  flags?: string[];
  ifalias?: string;
  addr_info?: { local: string; prefixlen: number }[];
  linkinfo?: { info_data?: Record<string, unknown> };
}

async function ip(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('ip', args);
  if (code !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr}`);
  return stdout || '[]';
}

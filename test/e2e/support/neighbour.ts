import { join } from 'node:path';
import { createNamespace, removeNamespace } from '@cleat/linux/net/namespace';
import { run } from '@cleat/linux/process/run';

/** Another host: a network namespace with a cable to this one, and a way to the engine's containers over it. */
export class Neighbour implements AsyncDisposable {
  private constructor(
    /** The cable's end on this host. */
    readonly link: string,
    readonly path: string,
    /** This host's addresses on the cable. */
    readonly here: { four: string; six: string },
    /** Its own addresses. */
    readonly there: { four: string; six: string },
  ) {}

  /** @param number of the cable, 1 to 9; @param engine whose networks are behind this host */
  static async start(engine: { directory: string; prefix: string }, number: number): Promise<Neighbour> {
    const net = engine.prefix.split('.')[1];
    const link = `cln${net}n${number}`;
    const path = join(engine.directory, link);
    const here = { four: `10.${net}.9${number}.1`, six: `fd09:${net}:${number}::1` };
    const there = { four: `10.${net}.9${number}.2`, six: `fd09:${net}:${number}::2` };
    const session = await createNamespace(path);
    const neighbour = new Neighbour(link, path, here, there);
    try {
      await ip(`link add ${link} type veth peer name uplink netns ${session.pid}`);
      await ip(`address add ${here.four}/24 dev ${link}`);
      await ip(`address add ${here.six}/64 dev ${link} nodad`);
      // At once, as the kernel's own would not be.
      await ip(`link set ${link} addrgenmode none`);
      await ip(`address add fe80::1/64 dev ${link} nodad`);
      await ip(`link set ${link} up`);
      await session.configure([
        `address add ${there.four}/24 dev uplink`,
        `address add ${there.six}/64 dev uplink nodad`,
        'link set uplink addrgenmode none',
        'address add fe80::2/64 dev uplink nodad',
        'link set uplink up',
        `route add default via ${here.four}`,
        `route add ::/0 via ${here.six}`,
      ]);
    } catch (error) {
      session.abandon();
      await neighbour[Symbol.asyncDispose]();
      throw error;
    }
    return neighbour;
  }

  /** Runs a program there. @returns what it wrote, or nothing if it failed */
  async run(...command: string[]): Promise<string> {
    const { code, stdout } = await run('nsenter', [`--net=${this.path}`, ...command], { deadlineMs: 60_000 });
    return code === 0 ? stdout : '';
  }

  /** The last line of `/f` at an HTTP server; nothing if that is not reached. */
  async fetched(address: string, port: number): Promise<string> {
    const ask = `printf 'GET /f HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 1 ${address} ${port} | tail -n 1`;
    return (await this.run('sh', '-c', ask)).trim();
  }

  async pings(address: string): Promise<boolean> {
    return (await this.run('busybox', 'ping', '-c1', '-W1', address)) !== '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('ip', ['link', 'delete', this.link]);
    removeNamespace(this.path);
  }
}

async function ip(command: string): Promise<void> {
  const { code, stderr } = await run('ip', command.split(' '));
  if (code !== 0) throw new Error(`ip ${command}: ${stderr}`);
}

import { createServer, type Server } from 'node:http';
import { run } from '@cleat/linux/process/run';

type Body = Record<string, unknown>;
/** An answer: a value, or a function that makes it; a string is an error in the kind's own words. */
export type Answer = Body | ((body: Body) => Body | string | Promise<Body | string>) | string;

export interface Call {
  /** For example `NetworkDriver.Join`. */
  method: string;
  /** The body as it came; undefined when there was none. */
  body: unknown;
}

/**
 * A network and IPAM plugin in one, over a real socket, that answers as told and keeps every call as it came. Its
 * interfaces are veth pairs, made in the network namespace of the daemon that it serves.
 */
export class ScriptedNetworkPlugin implements AsyncDisposable {
  readonly calls: Call[] = [];
  /** Overrides, by method. A method that is in `absent` answers 404, one in `silent` never. */
  readonly answers = new Map<string, Answer>();
  readonly absent = new Set<string>();
  readonly silent = new Set<string>();
  /** Things given away and not got back: `pool ID`, `address ID ADDRESS`, `allocation ID`, `network ID`, `endpoint ID`, `join ID`. */
  readonly held = new Set<string>();
  readonly #pending: (() => void)[] = [];
  readonly #server: Server;
  readonly #tag: string;
  #daemonPid: number;
  #pools = 0;
  #links = 0;
  readonly #hosts = new Map<string, number>();

  /**
   * @param tag a few characters that its interfaces' names begin with
   * @param daemonPid whose network namespace it works in
   */
  constructor(
    readonly socket: string,
    tag: string,
    readonly prefix: string,
    daemonPid = process.pid,
  ) {
    this.#tag = tag;
    this.#daemonPid = daemonPid;
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const method = (request.url ?? '').slice(1);
        const text = Buffer.concat(chunks).toString();
        const body: unknown = text ? JSON.parse(text) : undefined;
        this.calls.push({ method, body });
        const answer = () =>
          this.#answer(method, (body ?? {}) as Body).then(({ status, answer }) => {
            response.writeHead(status, { 'content-type': 'application/vnd.docker.plugins.v1.2+json' });
            response.end(JSON.stringify(answer));
          });
        // A call that hung gets its answer when the plugin goes on, unless its caller is gone.
        if (this.silent.has(method)) this.#pending.push(() => (response.destroyed ? undefined : void answer()));
        else void answer();
      });
    }).listen(socket);
  }

  /** Ends the hanging: pending calls get their answers. */
  goOn(): void {
    this.silent.clear();
    for (const answer of this.#pending.splice(0)) answer();
  }

  /** It serves another daemon from now on, as if it were new. */
  serves(daemonPid: number): void {
    this.#daemonPid = daemonPid;
    this.#pools = 0;
    this.#hosts.clear();
    this.held.clear();
    this.calls.length = 0;
    this.answers.clear();
  }

  /** The calls since the last time, for a comparison. */
  taken(): Call[] {
    return this.calls.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    // Where it was told to refuse Leave, its interface is there still: on this host, or gone with the daemon's namespace.
    for (const name of this.#names.values()) await run('ip', ['link', 'delete', name]);
  }

  async #answer(method: string, body: Body): Promise<{ status: number; answer: Body }> {
    if (this.absent.has(method)) return { status: 404, answer: {} };
    const errorKey = method.startsWith('Ipam') ? 'Error' : 'Err';
    try {
      const told = this.answers.get(method);
      const said = typeof told === 'function' ? await told(body) : (told ?? (await this.usual(method, body)));
      return typeof said === 'string' ? { status: 500, answer: { [errorKey]: said } } : { status: 200, answer: said };
    } catch (error) {
      return { status: 500, answer: { [errorKey]: String(error) } };
    }
  }

  /** Does the usual work and answers, unless a test told the plugin otherwise. */
  async usual(method: string, body: Body): Promise<Body> {
    const { NetworkID, EndpointID, PoolID, Address } = body as Record<string, string>;
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['NetworkDriver', 'IpamDriver'] };
      case 'NetworkDriver.GetCapabilities':
        return { Scope: 'local', ConnectivityScope: 'local' };
      case 'NetworkDriver.AllocateNetwork':
        this.held.add(`allocation ${NetworkID}`);
        return { Options: { segment: '4097' } };
      case 'NetworkDriver.FreeNetwork':
        this.held.delete(`allocation ${NetworkID}`);
        return {};
      case 'NetworkDriver.CreateNetwork':
        this.held.add(`network ${NetworkID}`);
        return {};
      case 'NetworkDriver.DeleteNetwork':
        this.held.delete(`network ${NetworkID}`);
        return {};
      case 'NetworkDriver.CreateEndpoint':
        this.held.add(`endpoint ${EndpointID}`);
        return {};
      case 'NetworkDriver.DeleteEndpoint':
        this.held.delete(`endpoint ${EndpointID}`);
        return {};
      case 'NetworkDriver.EndpointOperInfo':
        return { Value: {} };
      case 'NetworkDriver.Join':
        return await this.#join(EndpointID ?? '');
      case 'NetworkDriver.Leave':
        this.held.delete(`join ${EndpointID}`);
        await this.#ip('link', 'delete', this.#link(EndpointID ?? ''));
        return {};
      case 'IpamDriver.GetCapabilities':
        return {};
      case 'IpamDriver.GetDefaultAddressSpaces':
        return { LocalDefaultAddressSpace: 'local-space', GlobalDefaultAddressSpace: 'global-space' };
      case 'IpamDriver.RequestPool':
        return this.#pool(body);
      case 'IpamDriver.ReleasePool':
        this.held.delete(`pool ${PoolID}`);
        return {};
      case 'IpamDriver.RequestAddress':
        return this.#address(PoolID ?? '', Address ?? '');
      case 'IpamDriver.ReleaseAddress':
        this.held.delete(`address ${PoolID} ${Address}`);
        return {};
      default:
        return {};
    }
  }

  async #join(endpoint: string): Promise<Body> {
    this.held.add(`join ${endpoint}`);
    const name = this.#link(endpoint);
    await this.#ip('link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}c`);
    return { InterfaceName: { SrcName: `${name}c`, DstPrefix: 'eth' } };
  }

  readonly #names = new Map<string, string>();
  #link(endpoint: string): string {
    let name = this.#names.get(endpoint);
    if (!name) {
      name = `${this.#tag}${this.#links++}`;
      this.#names.set(endpoint, name);
    }
    return name;
  }

  async #ip(...args: string[]): Promise<void> {
    await run('nsenter', [`--net=/proc/${this.#daemonPid}/ns/net`, 'ip', ...args]);
  }

  /** Pools of its own choice are 24 bits of `prefix`, one after the other. */
  #pool({ Pool, V6 }: Body): Body {
    const pool = Pool || (V6 ? `fd00:${this.#pools++}::/64` : `${this.prefix}.${this.#pools++}.0/24`);
    const id = `pool of ${pool}`;
    this.held.add(`pool ${id}`);
    return { PoolID: id, Pool: pool };
  }

  #address(pool: string, requested: string): Body {
    const [network = '', bits] = pool.replace('pool of ', '').split('/');
    const numbered = (host: number) =>
      network.includes(':') ? `${network}${host.toString(16)}` : network.replace(/\d+$/, `${host}`);
    const isHeld = (address: string) => this.held.has(`address ${pool} ${address}`);
    let address = requested;
    for (let host = (this.#hosts.get(pool) ?? 0) + 1; !requested && (!address || isHeld(address)); host++) {
      address = numbered(host);
      this.#hosts.set(pool, host);
    }
    if (isHeld(address)) throw new Error('address in use');
    this.held.add(`address ${pool} ${address}`);
    return { Address: `${address}/${bits}` };
  }
}

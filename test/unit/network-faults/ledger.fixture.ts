import { execFileSync } from 'node:child_process';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { interfaceNames } from '@cleat/linux/net/facts';

type Body = Record<string, unknown>;

/**
 * A call that goes wrong. `refuses`: nothing is done. The others do what they were asked, and nobody hears it: `hangs`
 * never answers, `hangs up` breaks the connection, `raves` answers what is no answer.
 */
export const ways = ['refuses', 'hangs', 'hangs up', 'raves'] as const;
export type Way = (typeof ways)[number];

export interface Fault {
  readonly method: string;
  readonly way: Way;
  /** So many calls go well before it. */
  before: number;
  /** How many calls go wrong then. */
  times: number;
}

/**
 * A network and IPAM plugin in one, over a real socket, that keeps a book of what it gave away, and notes what comes in
 * an order that a driver could not cope with.
 */
export class Ledger implements AsyncDisposable {
  /** Things given away and not got back, with what each is a part of. */
  readonly held = new Map<string, string>();
  readonly complaints: string[] = [];
  readonly calls: string[] = [];
  fault: Fault | undefined;
  /** Nobody is heard: who calls now is to be dead. */
  deaf = false;
  /** Called when a call hangs that has been done. */
  onHang: () => void = () => {};
  readonly #server: Server;
  readonly #tag: string;
  #serial = 1;

  /** @param tag names of its interfaces begin with it */
  constructor(socket: string, tag: string) {
    this.#tag = tag;
    this.#server = createServer((request, response) => void this.#serve(request, response)).listen(socket);
  }

  get links(): string[] {
    return [...interfaceNames()].filter((name) => name.startsWith(this.#tag));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    for (const name of this.links) this.#unlink(name);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const method = (request.url ?? '').slice(1);
    if (this.deaf) return void response.destroy();
    this.calls.push(method);
    const fault = this.#faultOf(method);
    const answer = (status: number, body: string) => {
      response.writeHead(status, { 'content-type': 'application/vnd.docker.plugins.v1.2+json' });
      response.end(body);
    };
    if (fault === 'refuses') return answer(500, JSON.stringify({ Err: 'no luck', Error: 'no luck' }));
    const said = this.#do(method, text ? JSON.parse(text) : {});
    if (fault === 'hangs') return this.onHang();
    if (fault === 'hangs up') return void response.destroy();
    if (fault === 'raves') return answer(200, '["what?"');
    answer(200, JSON.stringify(said));
  }

  #faultOf(method: string): Way | undefined {
    const { fault } = this;
    if (fault?.method !== method || fault.before-- > 0 || fault.times-- <= 0) return undefined;
    return fault.way;
  }

  #do(method: string, body: Body): Body {
    const { NetworkID = '', EndpointID = '' } = body as Record<string, string>;
    const [network, endpoint] = [`network ${NetworkID}`, `endpoint ${EndpointID}`];
    switch (method) {
      case 'Plugin.Activate':
        return { Implements: ['NetworkDriver', 'IpamDriver'] };
      case 'NetworkDriver.GetCapabilities':
        return { Scope: 'global', GwAllocChecker: true, AllocatesNetworks: true, ServesPublishedPorts: true };
      case 'NetworkDriver.AllocateNetwork':
        this.#give(`allocation ${NetworkID}`);
        return { Options: { segment: '7' } };
      case 'NetworkDriver.FreeNetwork':
        if (this.held.has(network)) this.complaints.push('FreeNetwork of a network that is there');
        return this.#take(`allocation ${NetworkID}`);
      case 'NetworkDriver.CreateNetwork':
        return this.#give(network);
      case 'NetworkDriver.DeleteNetwork':
        return this.#take(network);
      case 'NetworkDriver.CreateEndpoint':
        return this.#give(endpoint, network);
      case 'NetworkDriver.DeleteEndpoint':
        return this.#take(endpoint);
      case 'NetworkDriver.Join':
        return this.#join(EndpointID, endpoint);
      case 'NetworkDriver.Leave':
        this.#unlink(this.#name(EndpointID));
        return this.#take(`join ${EndpointID}`);
      case 'NetworkDriver.ProgramExternalConnectivity':
        return this.#give(`ports ${EndpointID}`, `join ${EndpointID}`);
      case 'NetworkDriver.RevokeExternalConnectivity':
        return this.#take(`ports ${EndpointID}`);
      case 'NetworkDriver.EndpointOperInfo':
        return { Value: { 'com.docker.network.portmap': [] } };
      default:
        return this.#number(method, body);
    }
  }

  #number(method: string, { PoolID, Pool, V6, Address, Options }: Body): Body {
    const holder = String((Options as Body | null)?.['io.cleat.ipam.holder'] ?? '');
    switch (method) {
      case 'IpamDriver.GetCapabilities':
        return { KnowsHolders: true };
      case 'IpamDriver.GetDefaultAddressSpaces':
        return { LocalDefaultAddressSpace: 'near', GlobalDefaultAddressSpace: 'far' };
      case 'IpamDriver.RequestPool': {
        const cidr = String(Pool || (V6 ? `fd9e:${this.#serial++}::/64` : `10.254.${this.#serial++}.0/24`));
        this.#give(`pool ${cidr} of ${holder}`);
        return { PoolID: `${cidr} of ${holder}`, Pool: cidr };
      }
      case 'IpamDriver.ReleasePool':
        return PoolID ? this.#take(`pool ${PoolID}`) : this.#takeAll('pool', holder);
      case 'IpamDriver.RequestAddress': {
        const [start = '', bits] = String(PoolID).replace(/ .*/, '').split('/');
        const last = this.#serial++ % 250;
        const address = String(
          Address || (start.includes(':') ? `${start}${last + 1}` : start.replace(/0$/, `${last + 1}`)),
        );
        this.#give(`address ${address} in ${PoolID} of ${holder}`, `pool ${PoolID}`);
        return { Address: `${address}/${bits}` };
      }
      case 'IpamDriver.ReleaseAddress': {
        if (!Address) return this.#takeAll('address', holder);
        for (const what of this.held.keys()) if (what.startsWith(`address ${Address} in ${PoolID} `)) this.#take(what);
        return {};
      }
      default:
        return {};
    }
  }

  #give(what: string, partOf = ''): Body {
    if (partOf !== '' && !this.held.has(partOf)) this.complaints.push(`${what} before ${partOf}`);
    if (this.held.has(what)) this.complaints.push(`${what} twice`);
    this.held.set(what, partOf);
    return {};
  }

  #take(what: string): Body {
    const parts = [...this.held].filter(([, partOf]) => partOf === what).map(([part]) => part);
    if (parts.length > 0) this.complaints.push(`${what} goes before ${parts.join()}`);
    this.held.delete(what);
    return {};
  }

  #takeAll(kind: string, holder: string): Body {
    for (const what of this.held.keys())
      if (what.startsWith(`${kind} `) && what.endsWith(` of ${holder}`)) this.#take(what);
    return {};
  }

  #join(id: string, endpoint: string): Body {
    this.#give(`join ${id}`, endpoint);
    const name = this.#name(id);
    execFileSync('ip', ['link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}i`]);
    return {
      InterfaceName: { SrcName: `${name}i`, DstPrefix: 'eth' },
      DisableGatewayService: true,
      Gateway: '10.254.0.1',
    };
  }

  #name = (endpoint: string): string => `${this.#tag}${endpoint.slice(0, 8)}`;

  #unlink(name: string): void {
    if (!interfaceNames().has(name)) return;
    try {
      execFileSync('ip', ['link', 'delete', name], { stdio: 'ignore' });
    } catch (error) {
      // It goes with the namespace that its other end is in, perhaps in this moment.
      if (interfaceNames().has(name)) throw error;
    }
  }
}

import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { Semaphore } from '@cleat/protocol/async/semaphore';
import { contains, formatBlock, parseAddress, parseCidr, tryParseCidr } from '@cleat/protocol/cidr';
import { forbidden, invalidParameter, messageOf, notFound, notImplemented, unavailable } from '@cleat/protocol/errors';
import { type ipamKind, ipamOption } from '@cleat/protocol/kinds/ipam';
import type { Handlers } from '@cleat/protocol/kinds/kind';
import type { Logger } from '@cleat/protocol/log';
import { dockerMac } from '@cleat/protocol/mac';
import type { Offer } from './answers.js';
import type { Client, DhcpClient } from './client.js';
import type { Clock } from './clock.js';
import type { Lease } from './lease.js';
import type { Leases } from './leases.js';
import { linkOf, type OptionMap } from './network-options.js';

type Driver = Handlers<typeof ipamKind>;

const space = 'dhcp';
/** More would be a fault, or an attack on the server: a LAN seldom has as many addresses. */
const maxLeases = 4_096;
/** How many containers are given an address at once; the others wait. */
const atOnce = 32;
/** How often an address is asked for that the server offered and then refused. */
const maxRefusals = 3;

export interface DriverParts {
  readonly client: DhcpClient;
  readonly leases: Leases;
  readonly clock: Clock;
  /** How long servers have to give an address. */
  readonly answerMs: number;
  readonly log: Logger;
}

/** A subnet on a link. All that there is to know of it is in its ID, so none is lost, and networks may share it. */
interface Pool {
  readonly id: string;
  readonly link: string;
  readonly subnet: string;
}

/** Docker's IPAM protocol, answered by the DHCP server of a network that this host is on. */
export class DhcpDriver {
  readonly #client: DhcpClient;
  readonly #leases: Leases;
  readonly #clock: Clock;
  readonly #answerMs: number;
  readonly #log: Logger;
  readonly #turns = new Semaphore(atOnce);
  /** Requests under way, by pool and MAC address. */
  readonly #asking = new Map<
    string,
    { readonly holder: string; readonly pool: string; readonly stop: AbortController }
  >();

  constructor({ client, leases, clock, answerMs, log }: DriverParts) {
    this.#client = client;
    this.#leases = leases;
    this.#clock = clock;
    this.#answerMs = answerMs;
    this.#log = log;
  }

  handlers(): Driver {
    return {
      GetCapabilities: () => ({
        RequiresMACAddress: true,
        RequiresRequestReplay: false,
        KnowsHolders: true,
        KnowsNetworks: true,
        KnowsHostNames: true,
      }),
      // The same for both: this host may be on the network itself.
      GetDefaultAddressSpaces: () => ({ LocalDefaultAddressSpace: space, GlobalDefaultAddressSpace: space }),
      RequestPool: (request, { signal }) => this.#requestPool(request, signal),
      ReleasePool: ({ PoolID }) => {
        // Without an ID it is a network's that never heard of it: there is nothing to give back.
        if (PoolID) this.#release((lease) => lease.pool === PoolID);
      },
      RequestAddress: (request, { signal }) => this.#requestAddress(request, signal),
      ReleaseAddress: ({ PoolID, Address, Options }) => {
        const holder = holderIn(Options);
        if (!Address && !holder) throw invalidParameter('neither the address to be released is named, nor its holder');
        this.#release(({ pool, address, ...of }) => {
          return pool === PoolID && (Address ? address === Address : of.holder === holder);
        });
      },
    };
  }

  close(): void {
    for (const { stop } of this.#asking.values()) stop.abort(unavailable('the IPAM driver dhcp was stopped'));
  }

  async #requestPool({ Pool: asked, SubPool, Options, V6 }: Parameters<Driver['RequestPool']>[0], signal: AbortSignal) {
    if (V6) throw notImplemented('IPAM driver dhcp gives IPv4 addresses only: leave out --ipv6');
    if (SubPool) throw invalidParameter('the DHCP server chooses addresses: leave out --ip-range');
    const link = linkOf(Options);
    const subnet = asked && formatBlock(parseCidr(asked).block);
    const offer = await this.#probe(link, signal);
    if (subnet && offer.subnet !== subnet) {
      throw invalidParameter(`the DHCP server ${offer.server} on ${link} is for ${offer.subnet}, not for ${subnet}`);
    }
    const id = `${space}/${link}/${offer.subnet}`;
    const { router } = offer;
    const Data: Record<string, string> = router ? { [ipamOption.gatewayType]: withPrefix(router, offer.subnet) } : {};
    return { PoolID: id, Pool: offer.subnet, Data };
  }

  /**
   * Learns what a server offers to somebody who is not there. It is given back at once: servers keep what they offered
   * for a minute, which may be the only address.
   */
  async #probe(link: string, signal: AbortSignal): Promise<Offer> {
    const client: Client = { link, mac: probeMac(link), hostName: '' };
    const patience = { ms: this.#answerMs, signal };
    const offer = await this.#client.discover(client, { address: '', subnet: '' }, patience);
    try {
      this.#client.release(client, offer);
    } catch (error) {
      this.#log.debug('an offer could not be given back', { link, error: messageOf(error) });
    }
    return offer;
  }

  async #requestAddress({ PoolID, Address, Options }: Parameters<Driver['RequestAddress']>[0], signal: AbortSignal) {
    const pool = poolOf(PoolID);
    const mac = (Options?.[ipamOption.macAddress] ?? '').toLowerCase();
    if (Address && !contains(parseCidr(pool.subnet).block, parseAddress(Address))) {
      throw invalidParameter('requested address is out of range');
    }
    const isGateway = Options?.[ipamOption.requestAddressType] === ipamOption.gatewayType;
    if (isGateway) return answer(pool, Address || (await this.#routerOf(pool, signal)));
    if (!mac && Address) return answer(pool, Address);
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) throw invalidParameter('a DHCP server must be told a MAC address');
    return answer(pool, await this.#lease(pool, Address, mac, Options, signal));
  }

  async #routerOf({ link, subnet }: Pool, signal: AbortSignal): Promise<string> {
    const { router, server, ...offer } = await this.#probe(link, signal);
    if (!router || offer.subnet !== subnet)
      throw unavailable(`the DHCP server ${server} names no router: give --gateway`);
    return router;
  }

  async #lease(pool: Pool, wanted: string, mac: string, options: OptionMap, signal: AbortSignal): Promise<string> {
    const holder = holderIn(options);
    const there = this.#leases.find((lease) => lease.pool === pool.id && lease.mac === mac);
    if (there) {
      // Asked again by an engine that did not hear the answer, or that tells what is in use.
      if (there.holder === holder && (!wanted || there.address === wanted)) return there.address;
      throw forbidden(`the MAC address ${mac} has the address ${there.address} already, which is in use`);
    }
    if (wanted && this.#leases.at(pool.id, wanted)) throw forbidden('Address already in use');
    const key = `${pool.id} ${mac}`;
    if (this.#asking.has(key)) throw forbidden(`an address for ${mac} is being asked for already`);
    if (this.#leases.size + this.#asking.size >= maxLeases) throw unavailable(`there are ${maxLeases} leases already`);
    const stop = new AbortController();
    this.#asking.set(key, { holder, pool: pool.id, stop });
    try {
      const client: Client = { link: pool.link, mac, hostName: hostNameIn(options) };
      const until = AbortSignal.any([signal, stop.signal]);
      return await this.#turns.run(() => this.#obtain(pool, client, wanted, holder, until), until);
    } finally {
      this.#asking.delete(key);
    }
  }

  async #obtain(pool: Pool, client: Client, wanted: string, holder: string, signal: AbortSignal): Promise<string> {
    const deadline = this.#clock.now() + this.#answerMs;
    const patience = () => ({ ms: Math.max(1, deadline - this.#clock.now()), signal });
    let refused = '';
    for (let refusals = 0; refusals < maxRefusals; refusals++) {
      const like = { address: wanted, subnet: pool.subnet };
      const offer = await this.#client.discover(client, like, patience(), (made) => this.#takenBy(pool, made));
      if (wanted && offer.address !== wanted) {
        this.#client.release(client, offer);
        throw unavailable(`the DHCP server ${offer.server} offers ${offer.address}, and not ${wanted}`);
      }
      const since = this.#clock.now();
      const given = await this.#client.request(client, { ...pool, ...offer }, patience(), 'offered');
      if ('reason' in given) {
        refused = `server ${given.server} offered ${offer.address} and then refused it: ${given.reason}`;
        continue;
      }
      this.#keep(pool, client, given, holder, since, signal);
      return given.address;
    }
    throw unavailable(refused);
  }

  /** Says in words whose an offered address is already; undefined: nobody's. */
  #takenBy({ id }: Pool, { server, address }: Offer): string | undefined {
    const other = this.#leases.at(id, address);
    return other && `server ${server}: the address ${address}, which ${other.mac} has`;
  }

  /** @throws the signal's reason, when nobody waits for the address by now */
  #keep(pool: Pool, client: Client, given: Offer, holder: string, since: number, signal: AbortSignal): void {
    const taken = this.#takenBy(pool, given);
    if (signal.aborted || taken) {
      this.#client.release(client, given);
      signal.throwIfAborted();
      throw unavailable(`${taken}`);
    }
    const { address, subnet, server, serverMac, seconds, renewAfter, rebindAfter } = given;
    const terms = { server, serverMac, since, seconds, renewAfter, rebindAfter };
    this.#leases.keep({ v: 1, pool: pool.id, ...client, subnet, address, holder, ...terms });
  }

  #release(matches: (lease: Pick<Lease, 'pool' | 'address' | 'holder'>) => boolean): void {
    // Requests that have no address yet are a holder's, or a pool's.
    for (const { pool, holder, stop } of this.#asking.values()) {
      if (matches({ pool, holder, address: '' })) stop.abort(unavailable('the address was released meanwhile'));
    }
    this.#leases.release(matches);
  }
}

const withPrefix = (address: string, subnet: string): string => `${address}/${subnet.split('/')[1]}`;
const answer = ({ subnet }: Pool, address: string) => ({ Address: withPrefix(address, subnet), Data: {} });

const holderIn = (options: OptionMap): string => options?.[ipamOption.holder] ?? '';

/** @throws NotFound */
function poolOf(id: string): Pool {
  const [, link = '', subnet = ''] = /^dhcp\/([\w.+=@-]{1,15})\/([\d./]+)$/.exec(id) ?? [];
  if (tryParseCidr(subnet)?.address.family !== 4) throw notFound(`cannot find address pool for poolID:${id}`);
  return { id, link, subnet };
}

/** The user's name for the host, or else the container's, as far as it can be one (RFC 1123). */
function hostNameIn(options: OptionMap): string {
  const name = options?.[ipamOption.hostName] || options?.[ipamOption.endpointName] || '';
  return name
    .replace(/[^A-Za-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
}

/** Locally administered, and always the same: a server that writes clients down has one entry for it. */
function probeMac(link: string): string {
  const digest = createHash('sha256').update(`${hostname()} ${link}`).digest('hex');
  return dockerMac(digest);
}

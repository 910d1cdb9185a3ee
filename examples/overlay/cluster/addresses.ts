import { isDeepStrictEqual } from 'node:util';
import { dockerMac } from '@cleat/protocol/mac';
import { conflict, type DurableMap, turns } from '@cleat/sdk';
import { parseCidr } from '@cleat/sdk/addresses';
import type { Change, Entry, Etcd, Guard } from '../etcd/etcd.js';
import type { Session } from '../etcd/session.js';
import { checkAddress, chooseAddress, type Occupancy } from './choose.js';
import type { Keys } from './keys.js';
import { poolOf, type SharedNetworks } from './networks.js';
import { readClaim, type SharedClaim } from './shared.js';

/** An address that a container of this host has. The journal's key is its network, a blank and the address. */
export interface Claim {
  network: string;
  /** CIDR */
  pool: string;
  /** Without prefix. */
  address: string;
  /** The engine's ID of the endpoint, where it says it. */
  holder: string;
  container: string;
  mac: string;
  /** By which the container is found on the network. Absent: nobody said. */
  names?: string[];
}

export interface AddressRequest {
  network: string;
  pool: string;
  /** The part of the pool from which addresses are chosen here; CIDR, or empty. */
  range: string;
  /** An address, or empty. */
  requested: string;
  holder: string;
  container: string;
}

/** Others choose at the same time, but each takes another one. */
const maxTries = 20;

/**
 * The addresses of all containers. A claim is a key that is written only if nobody has it, so that no two hosts can have one
 * address; it goes with this host's lease. Beside it lies a second key, on a longer lease: whose the address was.
 */
export class Addresses {
  readonly #etcd: Etcd;
  readonly #keys: Keys;
  readonly #session: Session;
  readonly #journal: DurableMap<Claim>;
  readonly #inTurn = turns();

  constructor(etcd: Etcd, keys: Keys, session: Session, journal: DurableMap<Claim>) {
    this.#etcd = etcd;
    this.#keys = keys;
    this.#session = session;
    this.#journal = journal;
  }

  ownOn(network: string): Claim[] {
    return this.#journal.values().filter((claim) => claim.network === network);
  }

  /** Whether a container has it, on whichever host. @throws Unavailable */
  async isClaimed(network: string, address: string): Promise<boolean> {
    return (await this.#etcd.get(this.#keys.address(network, address))) !== undefined;
  }

  /** @returns the address without prefix @throws as {@link chooseAddress} and {@link checkAddress}; Unavailable */
  claim(request: AddressRequest): Promise<string> {
    return this.#inTurn('all', async () => {
      for (let tries = 0; tries < maxTries; tries++) {
        const address = await this.#tryToClaim(request);
        if (address !== undefined) return address;
      }
      throw conflict(`every address that was free on ${request.pool} was taken meanwhile: try again`);
    });
  }

  async #tryToClaim(request: AddressRequest): Promise<string | undefined> {
    const { network, pool, range, requested, container, holder } = request;
    const { occupancy, guards } = await this.#look(network, pool);
    const address = requested
      ? checkAddress(pool, requested, occupancy)
      : chooseAddress(pool, range, container, occupancy);
    const claim: Claim = { network, pool, address, holder, container, mac: macOf(address) };
    const free: Guard = { key: this.#keys.address(network, address), absent: true };
    // On record before it is written: what nobody gets to use is given back.
    this.#journal.set(journalKey(claim), claim);
    try {
      if (await this.#write([...guards, free], claim)) return address;
    } catch (error) {
      this.#journal.delete(journalKey(claim));
      throw error;
    }
    this.#journal.delete(journalKey(claim));
    return undefined;
  }

  /** All that is known of a pool, of one moment; guards that hold while its network is unchanged. */
  async #look(network: string, pool: string): Promise<{ occupancy: Occupancy; guards: Guard[] }> {
    const { networks } = this.#keys;
    const [addressesOf, keptOf] = [this.#keys.addressesOf(network), this.#keys.keptOf(network)];
    const { entries } = await this.#etcd.list(networks, addressesOf, keptOf);
    const document = entries.find(({ key }) => key === networks);
    const shared = document ? (JSON.parse(document.value) as SharedNetworks) : {};
    const { gateway, aux } = poolOf(shared, network, pool);
    const below = (prefix: string) => entries.filter(({ key }) => key.startsWith(prefix));
    const last = ({ key }: Entry) => decodeURIComponent(key.slice(key.lastIndexOf('/') + 1));
    const kept = below(keptOf).sort((a, b) => Number(BigInt(a.revision) - BigInt(b.revision)));
    return {
      occupancy: {
        taken: new Set([gateway, ...Object.keys(aux), ...below(addressesOf).map(last)]),
        kept: new Map(kept.map((entry) => [last(entry), entry.value])),
      },
      guards: document ? [{ key: networks, revision: document.revision }] : [],
    };
  }

  /** @returns whether it is so now; another member of etcd may have done it, and its answer got lost */
  async #write(guards: readonly Guard[], claim: Claim): Promise<boolean> {
    const key = this.#keys.address(claim.network, claim.address);
    const value = this.#valueOf(claim);
    return await this.#session.withLeases(async ({ lease, keptLease }) => {
      const { network, address, container } = claim;
      const changes: Change[] = [
        { put: key, value, lease },
        ...(container ? [{ put: this.#keys.kept(network, address), value: container, lease: keptLease }] : []),
      ];
      if (await this.#commit(guards, changes)) return true;
      return (await this.#etcd.get(key))?.value === value;
    });
  }

  async #commit(guards: readonly Guard[], changes: readonly Change[]): Promise<boolean> {
    try {
      return await this.#etcd.commit(guards, changes);
    } catch (error) {
      this.#session.doubt();
      throw error;
    }
  }

  #valueOf({ holder, container, mac, names }: Claim): string {
    return JSON.stringify({ host: this.#session.host, holder, container, mac, names } satisfies SharedClaim);
  }

  /**
   * More about the holder of an address: the MAC address of the interface, which may have several; the names by which it is
   * found. They go when the claim does. What etcd cannot be told now, {@link reclaim} tells it later.
   */
  describe(network: string, address: string, more: Pick<Claim, 'names'> & Partial<Pick<Claim, 'mac'>>): Promise<void> {
    return this.#inTurn('all', async () => {
      const claim = this.#journal.get(journalKey({ network, address }));
      const after = claim && { ...claim, ...more };
      if (!claim || !after || isDeepStrictEqual(claim, after)) return;
      const before: Guard = { key: this.#keys.address(network, address), value: this.#valueOf(claim) };
      this.#journal.set(journalKey(after), after);
      if (!(await this.#write([before], after))) this.#session.doubt();
    });
  }

  /** It does no harm if it is free already. What etcd cannot be told now, {@link reclaim} tells it later. */
  release(network: string, address: string): Promise<void> {
    return this.#inTurn('all', async () => {
      const claim = this.#journal.get(journalKey({ network, address }));
      if (!claim) return;
      this.#journal.delete(journalKey(claim));
      const key = this.#keys.address(network, address);
      const isGone = await this.#commit([{ key, value: this.#valueOf(claim) }], [{ remove: key }]);
      if (!isGone) this.#session.doubt();
    });
  }

  /** Former holders of a network's addresses are no longer of interest. */
  async forget(network: string): Promise<void> {
    await this.#etcd.commit([], [{ removeBelow: this.#keys.keptOf(network) }]);
  }

  /**
   * Makes etcd and the journal agree again, after a time of silence: what is ours is claimed again where nobody has it,
   * and what is left of ours is given back.
   * @returns what others have got meanwhile; it is no longer ours
   */
  reclaim(): Promise<Claim[]> {
    return this.#inTurn('all', async () => {
      const { entries } = await this.#etcd.list(this.#keys.addresses);
      const there = new Map(entries.map((entry) => [entry.key, entry]));
      const lost: Claim[] = [];
      for (const claim of this.#journal.values()) {
        const key = this.#keys.address(claim.network, claim.address);
        const entry = there.get(key);
        there.delete(key);
        const guard: Guard = entry ? { key, revision: entry.revision } : { key, absent: true };
        if ((!entry || hostOf(entry) === this.#session.host) && (await this.#write([guard], claim))) continue;
        this.#journal.delete(journalKey(claim));
        lost.push(claim);
      }
      for (const entry of there.values()) {
        if (hostOf(entry) !== this.#session.host) continue;
        await this.#etcd.commit([{ key: entry.key, revision: entry.revision }], [{ remove: entry.key }]);
      }
      return lost;
    });
  }
}

const hostOf = ({ value }: Entry): string | undefined => readClaim(value)?.host;

const journalKey = ({ network, address }: Pick<Claim, 'network' | 'address'>): string => `${network} ${address}`;

/**
 * The MAC address follows from the address: so it moves with it, and nobody who has met it has to learn another one.
 * Locally administered, and for one receiver only.
 */
export function macOf(address: string): string {
  const { value } = parseCidr(`${address}/${address.includes(':') ? 128 : 32}`).address;
  const last = (value & 0xffff_ffffn).toString(16).padStart(8, '0');
  return dockerMac(last);
}

import { interfaceNames, linkFacts } from '@cleat/linux/net/facts';
import { defaultRouteLinks, linksAbove, routedLinks } from '@cleat/linux/net/link-use';
import { conflict } from '@cleat/protocol/errors';
import type { EndpointRecord, NetworkRecord, SandboxRecord } from '../record.js';

interface Claim {
  sandbox: SandboxRecord;
  endpoint: EndpointRecord;
}

/**
 * Interfaces that drivers named for containers. A driver may be wrong or hostile: what this host uses itself, or another
 * endpoint is to have, is never moved into a container. An interface that was made for an endpoint may be prepared in any
 * way; one that was there before (drivers hand out network cards) must be idle.
 */
export class LinkClaims {
  /** Interfaces that were there before the driver was asked for the endpoint. */
  readonly #before = new WeakMap<EndpointRecord, ReadonlySet<string>>();
  /** By the interface's name, until it has been moved. */
  readonly #claims = new Map<string, Claim>();
  readonly #isCurrent: (claim: Claim) => boolean;

  /** @param isCurrent whether the endpoint is still that sandbox's: an attempt that failed claims nothing */
  constructor(isCurrent: (claim: Claim) => boolean) {
    this.#isCurrent = isCurrent;
  }

  /** To be called before its driver is asked. */
  expect(endpoint: EndpointRecord): void {
    if (!this.#before.has(endpoint)) this.#before.set(endpoint, interfaceNames());
  }

  /** @throws Conflict for one that another endpoint is to have, and for the loopback, which every namespace has */
  claim(name: string, claim: Claim): void {
    if (name === 'lo') throw refusal(claim.endpoint, name, 'which is the host’s loopback');
    for (const [former, known] of this.#claims) if (!this.#isCurrent(known)) this.#claims.delete(former);
    const other = this.#claims.get(name);
    if (other && other.endpoint !== claim.endpoint) {
      throw refusal(claim.endpoint, name, `which is for container ${other.sandbox.containerName}`);
    }
    this.#claims.set(name, claim);
  }

  /** It has been moved: its name on the host is free. */
  release({ srcName }: EndpointRecord): void {
    this.#claims.delete(srcName);
  }

  /**
   * @param networks all there are: one may be made on an interface that carries nothing else
   * @throws Conflict for an interface that is not to be moved
   */
  async check(endpoint: EndpointRecord, networks: readonly NetworkRecord[]): Promise<void> {
    const { srcName: name } = endpoint;
    const refuse = (why: string) => refusal(endpoint, name, why);
    const facts = await linkFacts(name);
    if (!facts) throw refuse('which is not there');
    if (facts.master) throw refuse(`which is a port of ${facts.master}`);
    if (defaultRouteLinks().has(name)) throw refuse('over which this host reaches the world');
    const before = this.#before.get(endpoint);
    if (before && !before.has(name)) return;
    if (facts.addresses[0]) throw refuse(`which has the address ${facts.addresses[0]} of this host`);
    if (routedLinks().has(name)) throw refuse('over which this host has routes');
    const user = networks.find(
      ({ driver, options }) => driver !== endpoint.driver && Object.values(options).includes(name),
    );
    if (user) throw refuse(`which network ${user.name} is made on`);
    const [above] = await linksAbove(name);
    if (above) throw refuse(`on which ${above} stands`);
  }
}

const refusal = ({ driver }: EndpointRecord, name: string, why: string): Error =>
  conflict(
    `plugin "${driver}" answered NetworkDriver.Join with the interface ${name}, ${why}: it is not moved into a container`,
  );

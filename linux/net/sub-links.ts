import { randomBytes } from 'node:crypto';
import { CleatError, notImplemented, systemError } from '@cleat/protocol/errors';
import { interfaceNames, linkFacts } from './facts.js';
import { type HostLinks, hostLinks } from './links.js';

/** A link to be made on a parent. */
export interface SubLink {
  name: string;
  parent: string;
  /** As after `type` of `ip link add`, for example `macvlan mode bridge`. */
  type: string;
  /** Empty: the kernel's choice. */
  mac: string;
  /** 0: the parent's. */
  mtu: number;
  /** A process in whose namespace it is made; 0: in this one. */
  pid: number;
}

/** Links that hang on another one of this host (macvlan, ipvlan, VLANs), and parents for them where there are none. */
export class HostSubLinks {
  readonly #alias: string;
  readonly #links: HostLinks;
  /** Types of links that this kernel has been seen to make. */
  readonly #known = new Set<string>();

  /** @param alias marks the parents that are made here; never with white space */
  constructor(alias: string, links: HostLinks = hostLinks()) {
    this.#alias = alias;
    this.#links = links;
  }

  exists(name: string): boolean {
    return interfaceNames().has(name);
  }

  /** The link's MAC address, or empty without such a link. One process. */
  async macOf(name: string): Promise<string> {
    return (await linkFacts(name))?.mac ?? '';
  }

  /**
   * A VLAN of a link, up. It has its name last: one that is half made is never taken for somebody's.
   * @throws System with what the kernel said, NotImplemented when it has no VLANs
   */
  async makeVlan(name: string, master: string, id: number): Promise<void> {
    const making = temporaryName();
    try {
      await this.#links.run([
        `link add link ${master} name ${making} type vlan id ${id}`,
        `link set dev ${making} alias ${this.#alias}`,
        `link set dev ${making} name ${name}`,
        `link set dev ${name} up`,
      ]);
    } catch (error) {
      await this.#links.remove(making);
      if (stepOf(error) === 3) await this.#links.remove(name);
      throw failure(`failed to create ${name} vlan link`, error, 'vlan', '8021q');
    }
  }

  /**
   * A link that leads nowhere, up: a dummy or, on a kernel without, one end of a veth whose other end nobody reads.
   * @throws System with what the kernel said
   */
  async makeIsolated(name: string): Promise<void> {
    const peer = name.replace('-', 'p');
    const finish = (link: string) => [
      `link set dev ${link} alias ${this.#alias}`,
      `link set dev ${link} addrgenmode none`,
      `link set dev ${link} up`,
    ];
    try {
      await this.#links.run([`link add name ${name} type dummy`]);
      await this.#links.run(finish(name));
    } catch (error) {
      if (!saysUnknownType(error)) throw await this.#undone(name, error);
      const commands = [`link add name ${name} type veth peer name ${peer}`, ...finish(name), ...finish(peer)];
      await this.#links.run(commands).catch(async (cause: unknown) => {
        throw await this.#undone(name, cause);
      });
    }
  }

  async #undone(name: string, cause: unknown): Promise<Error> {
    await this.#links.remove(name);
    return failure(`failed to create the parent link ${name}`, cause);
  }

  /** Removes a parent that was made here; one of that name that is somebody else's stays. */
  async removeParent(name: string): Promise<void> {
    if (!this.exists(name) || (await linkFacts(name))?.alias !== this.#alias) return;
    await this.remove(name);
  }

  /** Deletes a link of this namespace; one that is not there is fine. @throws System with what the kernel said */
  async remove(name: string): Promise<void> {
    await this.#links.remove(name);
    this.#links.forget();
  }

  /**
   * Whether this kernel can make links of that type, found out by making one. Any other failure is told when the link is
   * needed: it may be over by then.
   * @param type one word, for example `ipvlan`
   * @throws NotImplemented when it cannot
   */
  async require(type: string, parent: string): Promise<void> {
    if (this.#known.has(type)) return;
    const name = temporaryName();
    try {
      await this.#links.run([`link add link ${parent} name ${name} type ${type}`]);
      await this.#links.remove(name);
    } catch (error) {
      if (saysUnknownType(error)) throw failure(`${type} networks do not work here`, error, type, type);
      return;
    }
    this.#known.add(type);
  }

  /** @throws System `failed to create the TYPE port: …` with what the kernel said */
  async add({ name, parent, type, mac, mtu, pid }: SubLink): Promise<void> {
    const [kind = ''] = type.split(' ');
    const where = `${pid > 0 ? ` netns ${pid}` : ''}${mac ? ` address ${mac}` : ''}${mtu > 0 ? ` mtu ${mtu}` : ''}`;
    try {
      await this.#links.run([`link add link ${parent} name ${name}${where} type ${type}`]);
    } catch (error) {
      throw failure(`failed to create the ${kind} port`, error, kind, kind, parent);
    }
  }
}

const temporaryName = (): string => `sub${randomBytes(5).toString('hex')}`;

/** The words of `ip` as Go's netlink library has them. */
function saidBy(error: unknown): string {
  const said =
    error instanceof CleatError && typeof error.details?.said === 'string' ? error.details.said : String(error);
  return said
    .replace(/^Error: /, '')
    .replace(/\.$/, '')
    .toLowerCase();
}

/** Which of the commands failed, from 0. */
const stepOf = (error: unknown): number | undefined =>
  error instanceof CleatError && typeof error.details?.done === 'number' ? error.details.done : undefined;

const saysUnknownType = (error: unknown): boolean => /unknown device type|not supported/.test(saidBy(error));

/** @param type of the link, with the kernel module that brings it @param parent the link that it is on */
function failure(what: string, cause: unknown, type = '', module = '', parent = ''): Error {
  const said = saidBy(cause);
  if (type && saysUnknownType(cause)) {
    return notImplemented(`${what}: ${said}: this kernel makes no ${type} links (modprobe ${module})`, { cause });
  }
  const busy =
    parent && said.includes('busy') ? ` (${parent} is part of a bridge or bond, or has other links on it)` : '';
  return systemError(`${what}: ${said}${busy}`, { cause });
}

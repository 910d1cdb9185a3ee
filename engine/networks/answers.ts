import { contains, formatAddress, formatBlock, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { unavailable } from '@cleat/protocol/errors';
import { decode, isRecord } from '@cleat/protocol/json';
import { type EndpointInterface, PortBinding, type StaticRoute } from '@cleat/protocol/kinds/network';
import { readable } from '@cleat/protocol/untrusted';
import { readMac } from './mac-address.js';
import type { EndpointRecord, Route } from './record.js';

/** Static routes that one driver may add to a container. */
const maxRoutes = 1000;

/** Names that the kernel allows and `ip` takes for nothing else. */
export const isInterfaceName = (text: string): boolean => /^\w[\w.+=@-]{0,14}$/.test(text);

/**
 * Answers of network and IPAM drivers are checked before anything is done with them: these texts become arguments of
 * `ip`, and a driver may be broken or hostile.
 */
export class Answer {
  /** @param call for example `NetworkDriver.Join` */
  constructor(
    readonly driver: string,
    readonly call: string,
  ) {}

  /** An error that names the plugin, the call, and what was wrong. */
  wrong(what: string): Error {
    return unavailable(`plugin "${this.driver}" answered ${this.call} with ${what}`, {
      details: { extension: this.driver, call: this.call, arrived: true },
    });
  }

  /** @param text an address with a prefix length */
  cidr(text: string): ReturnType<typeof parseCidr> {
    try {
      return parseCidr(text);
    } catch {
      throw this.wrong(`${quoted(text)}, which is no address with a prefix length`);
    }
  }

  /** The pool's block in its usual form. */
  pool(text: string): string {
    return formatBlock(this.cidr(text).block);
  }

  /** An address of a pool's, as CIDR. */
  addressIn(pool: string, text: string): string {
    if (!text) throw this.wrong('no address');
    const { address, block } = this.cidr(text);
    if (!contains(parseCidr(pool).block, address)) {
      throw this.wrong(`the address ${quoted(text)}, which is not in the pool ${pool}`);
    }
    return `${formatAddress(address)}/${block.prefix}`;
  }

  /** The address of a gateway or the like, without prefix; empty stays empty. */
  address(text: string, what: string, family: 4 | 6): string {
    if (!text) return '';
    const parsed = tryParseAddress(text);
    if (parsed?.family !== family) throw this.wrong(`${what} ${quoted(text)}, which is no IPv${family} address`);
    if (noHosts.some(({ block }) => contains(block, parsed))) {
      throw this.wrong(`${what} ${quoted(text)}, which is no address of a host`);
    }
    return formatAddress(parsed);
  }

  #mac(text: string): string {
    if (!text) return '';
    const mac = readMac(text);
    if (!mac) throw this.wrong(`the MAC address ${quoted(text)}`);
    return mac;
  }

  interfaceName(text: string, what: string): string {
    if (!isInterfaceName(text)) {
      throw this.wrong(`${what} ${quoted(text)}, which cannot be the name of a network interface`);
    }
    return text;
  }

  /** The values that the driver filled in. @param asked what was set already, which it must not change */
  filledIn(said: EndpointInterface, asked: { ipv4: string; ipv6: string; mac: string }): typeof asked {
    const keep = (name: string, old: string, given: string) => {
      if (old && given && old !== given) throw this.wrong(`another ${name} than it was given: ${quoted(given)}`);
      return old || given;
    };
    const four = this.interfaceAddress(said.Address ?? '', 4);
    const six = this.interfaceAddress(said.AddressIPv6 ?? '', 6);
    return {
      ipv4: keep('address', asked.ipv4, four),
      ipv6: keep('IPv6 address', asked.ipv6, six),
      mac: keep('MAC address', asked.mac.toLowerCase(), this.#mac(said.MacAddress ?? '')),
    };
  }

  /** An address of that family, as CIDR; empty stays empty. */
  interfaceAddress(text: string, family: 4 | 6): string {
    if (!text) return '';
    const { address, block } = this.cidr(text);
    if (address.family !== family) throw this.wrong(`${quoted(text)}, which is no IPv${family} address`);
    return `${formatAddress(address)}/${block.prefix}`;
  }

  /** Published ports, as EndpointOperInfo tells them; undefined: none. */
  ports(value: unknown): PortBinding[] {
    if (value === undefined || value === null) return [];
    const all = Array.isArray(value) ? value.map((one: unknown) => this.#port(one)) : [undefined];
    const ports = all.flatMap((port) => port ?? []);
    if (ports.length < all.length) throw this.wrong(`the published ports ${quoted(JSON.stringify(value))}`);
    return ports;
  }

  /** @returns undefined for what is no port */
  #port(value: unknown): PortBinding | undefined {
    if (!isRecord(value)) return undefined;
    const { Proto, Port, HostIP, HostPort = 0 } = decode(PortBinding, value, 'PortBinding');
    const isPort = (number: number) => number >= 0 && number <= 65_535;
    const known = [6, 17, 132].includes(Proto) && Port > 0 && isPort(Port) && isPort(HostPort);
    if (!known || (HostIP && !tryParseAddress(HostIP))) return undefined;
    return { Proto, Port, HostPort, ...(HostIP === undefined ? {} : { HostIP }) };
  }

  /**
   * Each destination once. A route to the endpoint's own subnet is there anyway.
   * @param endpoint as far as the same answer has filled it in
   */
  routes(said: readonly StaticRoute[], endpoint: Endpoint): Route[] {
    if (said.length > maxRoutes) throw this.wrong(`${said.length} static routes, more than ${maxRoutes}`);
    const own = [endpoint.ipv4, endpoint.ipv6].flatMap((cidr) => (cidr ? [formatBlock(parseCidr(cidr).block)] : []));
    const ways = new Map<string, string>([
      ...(endpoint.gateway ? [['0.0.0.0/0', endpoint.gateway] as const] : []),
      ...(endpoint.gateway6 ? [['::/0', endpoint.gateway6] as const] : []),
    ]);
    const routes: Route[] = [];
    for (const route of said) {
      const { destination, via } = this.#route(route);
      const other = ways.get(destination);
      if (other !== undefined && other !== via) throw this.wrong(`two different routes to ${destination}`);
      if (other !== undefined || (!via && own.includes(destination))) continue;
      ways.set(destination, via);
      routes.push({ destination, via });
    }
    return routes;
  }

  #route({ Destination, RouteType = 0, NextHop = '' }: StaticRoute): Route {
    const { block } = this.cidr(Destination);
    const via = NextHop && this.address(NextHop, 'the next hop', block.family);
    if (RouteType !== 0 && RouteType !== 1) throw this.wrong(`a route of the unknown type ${RouteType}`);
    if (RouteType === 0 && !via) throw this.wrong(`the route ${quoted(Destination)} without a next hop`);
    return { destination: formatBlock(block), via: RouteType === 0 ? via : '' };
  }
}

type Endpoint = Pick<EndpointRecord, 'gateway' | 'gateway6' | 'ipv4' | 'ipv6'>;

/** Unspecified, loopback, multicast and reserved addresses. */
const noHosts = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3', '::/127', 'ff00::/8'].map(parseCidr);

const quoted = (text: string): string => JSON.stringify(readable(text, 80));

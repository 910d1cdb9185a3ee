import type { ContainerSummary, Port } from '@cleat/protocol/api/container';
import type { EndpointSettings, NetworkResource } from '@cleat/protocol/api/network';
import { invalidParameter, notFound } from '@cleat/protocol/errors';

/** The networks, and the containers on them. All forms in which a map is shown are made from this. */
export interface NetworkMap {
  /** Those with containers first, then by name. */
  readonly networks: readonly MappedNetwork[];
  /** In the order of their networks, so that what belongs together stands together. */
  readonly containers: readonly MappedContainer[];
  /** Names of the networks that were asked for; empty: all. */
  readonly only: readonly string[];
  /** How many there are that the map leaves out, since they are not asked for and no container leads there. */
  readonly notShown: { readonly networks: number; readonly containers: number };
}

export interface MappedNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** Without a way out. */
  readonly internal: boolean;
  readonly subnets: readonly { readonly subnet: string; readonly gateway: string }[];
  /** How many containers on it the map leaves out: it is shown only because others lead here. */
  readonly notShown: number;
}

export interface MappedContainer {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly running: boolean;
  /** As `docker ps` shows them: `0.0.0.0:8080->80/tcp`, ranges in one. */
  readonly ports: readonly string[];
  readonly endpoints: readonly MappedEndpoint[];
  /** The name of the container whose network it shares (`--network container:X`); empty: none. */
  readonly shares: string;
}

export interface MappedEndpoint {
  /** ID of the network. */
  readonly network: string;
  /** CIDR; none while it does not run, and on the host's own network. */
  readonly addresses: readonly string[];
  readonly mac: string;
}

/**
 * @param wanted names or IDs of networks; none: all
 * @throws NotFound `network X not found`, InvalidParameter where the beginning of an ID fits several
 */
export function mapOf(
  networks: readonly NetworkResource[],
  containers: readonly ContainerSummary[],
  wanted: readonly string[] = [],
): NetworkMap {
  const chosen = wanted.length === 0 ? networks : [...new Set(wanted.map((ref) => find(networks, ref)))];
  const names = new Map(containers.map((one) => [one.Id, nameOf(one)]));
  const mapped = containers.map((one) => mappedContainer(one, networks, names));
  const onChosen = (one: MappedContainer) =>
    one.endpoints.some(({ network }) => chosen.some(({ Id }) => Id === network));
  const shown = wanted.length === 0 ? mapped : mapped.filter(onChosen);
  const sharing = wanted.length === 0 ? [] : mapped.filter(({ shares }) => shown.some(({ name }) => name === shares));
  const drawn = new Set([...shown, ...sharing]);
  // A container that is shown is shown whole: also where it leads beyond the chosen networks.
  const all = networks.filter(
    (network) =>
      chosen.includes(network) || shown.some(({ endpoints }) => endpoints.some((on) => on.network === network.Id)),
  );
  const inUse = ({ Id }: NetworkResource) =>
    mapped.some(({ endpoints }) => endpoints.some(({ network }) => network === Id));
  const sorted = all.toSorted((a, b) => Number(inUse(b)) - Number(inUse(a)) || order(a.Name, b.Name));
  const missingOn = ({ Id }: NetworkResource) =>
    mapped.filter((one) => !drawn.has(one) && one.endpoints.some(({ network }) => network === Id)).length;
  return {
    networks: sorted.map((network) => mappedNetwork(network, missingOn(network))),
    containers: inOrder([...drawn], sorted),
    only: wanted.length === 0 ? [] : chosen.map(({ Name }) => Name),
    notShown: { networks: networks.length - all.length, containers: mapped.length - drawn.size },
  };
}

function find(networks: readonly NetworkResource[], ref: string): NetworkResource {
  const exact = networks.find(({ Id, Name }) => Id === ref || Name === ref);
  if (exact) return exact;
  const [first, second] = ref === '' ? [] : networks.filter(({ Id }) => Id.startsWith(ref));
  if (!first) throw notFound(`network ${ref} not found`);
  if (second) throw invalidParameter(`network ${ref} is ambiguous (2 matches found based on ID prefix)`);
  return first;
}

function mappedNetwork({ Id, Name, Driver, Internal, IPAM }: NetworkResource, notShown: number): MappedNetwork {
  const subnets = (IPAM.Config ?? []).flatMap(({ Subnet = '', Gateway = '' }) =>
    Subnet ? [{ subnet: Subnet, gateway: Gateway }] : [],
  );
  return { id: Id, name: Name, driver: Driver, internal: Internal, subnets, notShown };
}

function mappedContainer(
  container: ContainerSummary,
  networks: readonly NetworkResource[],
  names: ReadonlyMap<string, string>,
): MappedContainer {
  const other = /^container:(.*)$/.exec(container.HostConfig.NetworkMode)?.[1];
  return {
    id: container.Id,
    name: nameOf(container),
    image: container.Image,
    running: ['running', 'paused', 'restarting'].includes(container.State),
    ports: publishedPorts(container.Ports),
    endpoints: Object.entries(container.NetworkSettings.Networks).flatMap(([name, settings]) => {
      // While it does not run, a stock engine may name the network without its ID.
      const network =
        networks.find(({ Id }) => Id === settings.NetworkID) ?? networks.find(({ Name }) => Name === name);
      return network ? [mappedEndpoint(network, settings)] : [];
    }),
    shares: other === undefined ? '' : (names.get(other) ?? other.slice(0, 12)),
  };
}

function mappedEndpoint({ Id }: NetworkResource, settings: EndpointSettings): MappedEndpoint {
  const { IPAddress, IPPrefixLen, GlobalIPv6Address, GlobalIPv6PrefixLen, MacAddress = '' } = settings;
  const addresses = [
    ...(IPAddress ? [`${IPAddress}/${IPPrefixLen}`] : []),
    ...(GlobalIPv6Address ? [`${GlobalIPv6Address}/${GlobalIPv6PrefixLen}`] : []),
  ];
  return { network: Id, addresses, mac: MacAddress };
}

/** Without the slash, and not a name by which another one knows it through a link (`/web/db`). */
function nameOf({ Id, Names }: ContainerSummary): string {
  const own = Names.find((name) => !name.slice(1).includes('/'));
  return own?.slice(1) ?? Id.slice(0, 12);
}

/** Ports that follow each other on both sides are one range. */
function publishedPorts(ports: readonly Port[]): string[] {
  const ranges: { ip: string; type: string; inside: [number, number]; outside: [number, number] }[] = [];
  const published = ports.flatMap(({ IP = '', PrivatePort, PublicPort, Type }) =>
    PublicPort ? [{ ip: IP.includes(':') ? `[${IP}]` : IP, type: Type, inside: PrivatePort, outside: PublicPort }] : [],
  );
  published.sort((a, b) => order(a.type, b.type) || order(a.ip, b.ip) || a.inside - b.inside || a.outside - b.outside);
  for (const { ip, type, inside, outside } of published) {
    const last = ranges.at(-1);
    if (last?.ip === ip && last.type === type && last.inside[1] + 1 === inside && last.outside[1] + 1 === outside) {
      last.inside[1] = inside;
      last.outside[1] = outside;
    } else {
      ranges.push({ ip, type, inside: [inside, inside], outside: [outside, outside] });
    }
  }
  const range = ([from, to]: [number, number]) => (from === to ? `${from}` : `${from}-${to}`);
  return ranges.map(({ ip, type, inside, outside }) => `${ip}:${range(outside)}->${range(inside)}/${type}`);
}

/** By their first network, then by name; one that shares another's network follows that. */
function inOrder(containers: readonly MappedContainer[], networks: readonly NetworkResource[]): MappedContainer[] {
  const place = ({ endpoints }: MappedContainer) => {
    const places = endpoints.map(({ network }) => networks.findIndex(({ Id }) => Id === network));
    return Math.min(networks.length, ...places);
  };
  const own = containers
    .filter(({ shares }) => !shares)
    .toSorted((a, b) => place(a) - place(b) || order(a.name, b.name));
  const sharing = containers.filter(({ shares }) => shares).toSorted((a, b) => order(a.name, b.name));
  const following = own.flatMap((one) => [one, ...sharing.filter(({ shares }) => shares === one.name)]);
  return [...following, ...sharing.filter((one) => !following.includes(one))];
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

import { ownNamespace } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { inNamespace, type NamespaceSession } from '@cleat/linux/net/namespace';
import { ignoreAdvertisements } from '@cleat/linux/net/sysctls';
import { contains, parseAddress, parseCidr } from '@cleat/protocol/cidr';
import { CleatError, conflict } from '@cleat/protocol/errors';
import type { NetworksContext } from '../context.js';
import type { Joined } from '../endpoint.js';
import { setSysctls } from '../endpoint-options.js';
import { waysOut } from '../gateway.js';
import type { EndpointRecord, Route, SandboxRecord } from '../record.js';

/**
 * Moves the interfaces that drivers made outside into the namespace, names and configures them all: one message to the
 * warm `ip` outside, and all the rest in the session's own process. The session is used up.
 * @throws Conflict for an interface that is not to be moved, or a route that another network has
 */
export async function wire(
  { links, registry }: Pick<NetworksContext, 'links' | 'registry'>,
  session: NamespaceSession,
  sandbox: SandboxRecord,
  joined: readonly Joined[],
): Promise<void> {
  const linked = joined.filter(({ endpoint }) => endpoint.srcName);
  const moving = linked.filter(({ inSandbox }) => !inSandbox);
  for (const { endpoint } of moving) await links.check(endpoint, registry.all());
  await hostLinks().run(moving.map(({ endpoint }) => `link set dev ${endpoint.srcName} netns ${session.pid}`));
  for (const { endpoint } of moving) links.release(endpoint);
  // Before they are up: without IPv6 on its network a container is to have none, also where a router advertises it.
  const without = linked.filter(({ endpoint }) => !endpoint.ipv6);
  ignoreAdvertisements(
    sandbox.path,
    without.map(({ endpoint }) => endpoint.srcName),
  );
  const all = linked.flatMap(({ endpoint, routes }) => routes.map((route) => ({ endpoint, route })));
  // A next hop may be reached by another route of the same answer.
  const ordered = [...all.filter(({ route }) => !route.via), ...all.filter(({ route }) => route.via)];
  const foreign = new Map(ordered.map(({ endpoint, route }) => [staticRoute(endpoint, route), endpoint]));
  const commands = [...linked.flatMap(configuration), ...foreign.keys(), ...defaultRoutes(sandbox)];
  await session.configure(commands).catch((error: unknown) => {
    throw explained(error, foreign);
  });
  for (const { endpoint } of linked) await setSysctls(sandbox.path, endpoint);
}

/**
 * After all interfaces are there: which one leads to the next hop, the kernel knows. It refuses a destination that has a
 * route already, be it another network's.
 */
const staticRoute = ({ dstName }: EndpointRecord, { destination, via }: Route): string =>
  `route add ${destination} ${via ? `via ${via}` : `dev ${dstName} scope link`}`;

/** A route that the kernel refuses is the driver's mistake. */
function explained(error: unknown, foreign: ReadonlyMap<string, EndpointRecord>): unknown {
  const { command, said } = (error instanceof CleatError && error.details) || {};
  const endpoint = typeof command === 'string' ? foreign.get(command) : undefined;
  if (!endpoint) return error;
  const route = String(command).replace('route add ', '');
  const why = said === 'File exists' ? 'another network of the container leads there' : String(said);
  return conflict(`plugin "${endpoint.driver}" answered NetworkDriver.Join with the route ${route}: ${why}`);
}

function configuration({ endpoint }: Joined): string[] {
  const { srcName, dstName, mac, ipv4, ipv6, requested } = endpoint;
  const linkLocal = requested.IPAMConfig?.LinkLocalIPs ?? [];
  return [
    `link set dev ${srcName} name ${dstName}${mac ? ` address ${mac}` : ''}`,
    // Without an IPv6 address of the network's there is none at all, as Docker has it.
    ...(ipv6 ? [] : [`link set dev ${dstName} addrgenmode none`]),
    `link set dev ${dstName} up`,
    ...(ipv4 ? [`address add ${ipv4} broadcast + dev ${dstName}`] : []),
    ...(ipv6 ? [`address add ${ipv6} nodad dev ${dstName}`] : []),
    // With libnetwork's masks (moby `daemon/libnetwork/endpoint.go`).
    ...linkLocal.map((address) =>
      address.includes(':')
        ? `address add ${address}/64 nodad dev ${dstName}`
        : `address add ${address}/16 dev ${dstName}`,
    ),
  ];
}

/** The default routes over the ways out, replacing whatever other ones there are. */
export function defaultRoutes(sandbox: SandboxRecord): string[] {
  const { four, six } = waysOut(sandbox);
  // The family is said by the destination: a batch takes no options per line.
  return [
    ...(four ? defaultRoute('0.0.0.0/0', four.gateway, four, four.ipv4) : []),
    ...(six ? defaultRoute('::/0', six.gateway6, six, six.ipv6) : []),
  ];
}

/** A gateway may be outside the endpoint's own subnet. Without one, a static route of its driver leads out. */
function defaultRoute(destination: string, gateway: string, endpoint: EndpointRecord, own: string): string[] {
  const { dstName, everywhere = [] } = endpoint;
  const via = gateway || everywhere.find((route) => route.destination === destination)?.via;
  // An older record does not tell: the route is as it was made.
  if (via === undefined) return [];
  if (via === '') return [`route replace ${destination} dev ${dstName} scope link`];
  const isNear = own !== '' && contains(parseCidr(own).block, parseAddress(via));
  return [`route replace ${destination} via ${via} dev ${dstName}${isNear ? '' : ' onlink'}`];
}

/**
 * Moves an endpoint's interface back to the host under its former name, as its driver expects to find it. It is no error
 * when the interface never came, or is gone.
 * @param expected false: the driver does not, so the interface is simply removed
 */
export async function unwire(sandbox: SandboxRecord, endpoint: EndpointRecord, expected: boolean): Promise<void> {
  const { srcName, dstName } = endpoint;
  if (!srcName) return;
  const takeOut = (name: string): string[] =>
    expected
      ? [
          `link set dev ${name} down`,
          ...(name === srcName ? [] : [`link set dev ${name} name ${srcName}`]),
          `link set dev ${srcName} netns ${ownNamespace()}`,
        ]
      : [`link delete dev ${name}`];
  // An attempt that failed half-way has not renamed it; what another network's interface is called is not its name.
  const isOthers = sandbox.endpoints.some((other) => other !== endpoint && other.dstName === srcName);
  for (const name of new Set([dstName, ...(isOthers ? [] : [srcName])])) {
    try {
      return await inNamespace(sandbox.path, takeOut(name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

/** There was nothing to take out: the very first command did not find it. */
const isMissing = (error: unknown): boolean =>
  error instanceof CleatError &&
  error.details?.done === 0 &&
  String(error.details.said).startsWith('Cannot find device');

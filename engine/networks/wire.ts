import { defaultRouteLinks, ownNamespace } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { inNamespace, type NamespaceSession } from '@cleat/linux/net/namespace';
import { contains, parseAddress, parseCidr } from '@cleat/protocol/cidr';
import { conflict } from '@cleat/protocol/errors';
import type { Joined } from './endpoint.js';
import { setSysctls } from './endpoint-options.js';
import { waysOut } from './gateway.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/**
 * Moves the interfaces that drivers made outside into the namespace, names and configures them all: one message to the
 * warm `ip` outside, and all the rest in the session's own process. The session is used up.
 * @throws Conflict for an interface that the host itself needs
 */
export async function wire(
  session: NamespaceSession,
  sandbox: SandboxRecord,
  joined: readonly Joined[],
): Promise<void> {
  const linked = joined.filter(({ endpoint }) => endpoint.srcName);
  const moving = linked.filter(({ inSandbox }) => !inSandbox);
  for (const { endpoint } of moving) refuseUplink(endpoint);
  await hostLinks().run(moving.map(({ endpoint }) => `link set dev ${endpoint.srcName} netns ${session.pid}`));
  await session.configure([
    ...linked.flatMap(configuration),
    ...linked.flatMap(({ routes }) => routes.flatMap(({ destination, via }) => (via ? route(destination, via) : []))),
    ...defaultRoutes(sandbox),
  ]);
  for (const { endpoint } of linked) await setSysctls(sandbox.path, endpoint);
}

/** A driver that is wrong or hostile must not take the host off the net. */
function refuseUplink({ srcName, driver }: EndpointRecord): void {
  if (!defaultRouteLinks().has(srcName)) return;
  throw conflict(
    `plugin "${driver}" answered NetworkDriver.Join with the interface ${srcName}, over which this host reaches the world: it is not moved into a container`,
  );
}

function configuration({ endpoint, routes }: Joined): string[] {
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
    ...routes.flatMap(({ destination, via }) =>
      via ? [] : [`route replace ${destination} dev ${dstName} scope link`],
    ),
  ];
}

/** After all interfaces are there: which one leads to the next hop, the kernel knows. */
const route = (destination: string, via: string): string[] => [`route replace ${destination} via ${via}`];

/** The default routes over the ways out, replacing whatever other ones there are. */
export function defaultRoutes(sandbox: SandboxRecord): string[] {
  const { four, six } = waysOut(sandbox);
  // The family is said by the destination: a batch takes no options per line.
  return [
    ...(four?.gateway ? [defaultRoute('0.0.0.0/0', four.gateway, four, four.ipv4)] : []),
    ...(six?.gateway6 ? [defaultRoute('::/0', six.gateway6, six, six.ipv6)] : []),
  ];
}

/** A gateway may be outside the endpoint's own subnet. */
function defaultRoute(everywhere: string, gateway: string, { dstName }: EndpointRecord, own: string): string {
  const isNear = own !== '' && contains(parseCidr(own).block, parseAddress(gateway));
  return `route replace ${everywhere} via ${gateway} dev ${dstName}${isNear ? '' : ' onlink'}`;
}

/**
 * Moves an endpoint's interface back to the host under its former name, as its driver expects to find it.
 * @param expected false: the driver does not, so the interface is simply removed
 */
export async function unwire(path: string, endpoint: EndpointRecord, expected: boolean): Promise<void> {
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
  try {
    await inNamespace(path, takeOut(dstName));
  } catch (error) {
    if (srcName === dstName) throw error;
    // An attempt that failed half-way has not renamed it.
    await inNamespace(path, takeOut(srcName));
  }
}

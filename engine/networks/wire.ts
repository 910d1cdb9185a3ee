import { ownNamespace } from '@cleat/linux/net/facts';
import { hostLinks } from '@cleat/linux/net/links';
import { inNamespace, type NamespaceSession } from '@cleat/linux/net/namespace';
import { gatewayEndpoint, type Joined } from './endpoint.js';
import type { EndpointRecord, SandboxRecord } from './record.js';

/**
 * Moves the interfaces that drivers made outside into the namespace, names and configures them all: one message to the
 * warm `ip` outside, and all the rest in the session's own process. The session is used up.
 */
export async function wire(
  session: NamespaceSession,
  sandbox: SandboxRecord,
  joined: readonly Joined[],
): Promise<void> {
  const linked = joined.filter(({ endpoint }) => endpoint.srcName);
  const moving = linked.filter(({ inSandbox }) => !inSandbox);
  await hostLinks().run(moving.map(({ endpoint }) => `link set dev ${endpoint.srcName} netns ${session.pid}`));
  await session.configure([...linked.flatMap(configuration), ...defaultRoutes(sandbox)]);
}

function configuration({ endpoint, routes }: Joined): string[] {
  const { srcName, dstName, mac, ipv4, ipv6 } = endpoint;
  return [
    // Without an IPv6 address of the network's there is none at all, as Docker has it.
    `link set dev ${srcName} name ${dstName}${mac ? ` address ${mac}` : ''}${ipv6 ? '' : ' addrgenmode none'}`,
    `link set dev ${dstName} up`,
    ...(ipv4 ? [`address add ${ipv4} broadcast + dev ${dstName}`] : []),
    ...(ipv6 ? [`address add ${ipv6} nodad dev ${dstName}`] : []),
    ...routes.map(({ Destination, RouteType, NextHop }) =>
      RouteType === 1 || !NextHop
        ? `route replace ${Destination} dev ${dstName} scope link`
        : `route replace ${Destination} via ${NextHop} dev ${dstName}`,
    ),
  ];
}

/** The default routes over the gateway endpoint, replacing whatever other ones there are. */
export function defaultRoutes(sandbox: SandboxRecord): string[] {
  const way = gatewayEndpoint(sandbox);
  if (!way) return [];
  return [way.gateway, way.gateway6].filter(Boolean).map((gateway) => {
    const six = gateway.includes(':') ? '-6 ' : '';
    return `${six}route replace default via ${gateway} dev ${way.dstName} onlink`;
  });
}

/**
 * Moves an endpoint's interface back to the host under its former name, as its driver expects to find it.
 * @param expected false: the driver does not, so the interface is simply removed
 */
export async function unwire(path: string, endpoint: EndpointRecord, expected: boolean): Promise<void> {
  const { srcName, dstName } = endpoint;
  if (!srcName) return;
  if (!expected) return await inNamespace(path, [`link delete dev ${dstName}`]);
  await inNamespace(path, [
    `link set dev ${dstName} down`,
    `link set dev ${dstName} name ${srcName}`,
    `link set dev ${srcName} netns ${ownNamespace()}`,
  ]);
}

import type { Containers } from '@cleat/engine/containers/service';
import type { ContainerInspect } from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { stringify } from '@cleat/protocol/json';
import { EncodedCopies, shapeFor } from '../http/encoded-copies.js';
import type { Exchange } from '../http/exchange.js';
import type { Route } from '../http/router.js';

export function inspectRoutes(containers: Containers): Route[] {
  const copies = new EncodedCopies<ContainerInspect, (typeof shapes)[number], Buffer>();
  return [
    {
      method: 'GET',
      path: '/containers/:name/json',
      async handler(x) {
        const container = await containers.inspect(x.param('name'), { size: x.query.flag('size') });
        const body = () => Buffer.from(`${stringify(inspectFor(x, container))}\n`);
        x.sendJson(200, copies.of(container, shapeFor(x, shapes), body));
      },
    },
  ];
}

/** API versions that changed the shape, the newest first. */
const shapes = ['1.52', '1.48', '1.46', '1.45', '1.44', '1.22', '1.20'] as const;

/** Networks that are no user's own. */
const builtIn = ['default', 'bridge', 'host', 'none'];

/** `GET /containers/{id}/json` in the shape of the client's version. */
export function inspectFor(x: Pick<Exchange, 'before'>, container: ContainerInspect): object {
  const shaped: ContainerInspect = { ...container };
  const networks = { ...container.NetworkSettings.Networks };
  if (x.before('1.45')) {
    const own = [container.Id.slice(0, 12), container.Config.Hostname ?? ''].filter((name) => name !== '');
    for (const [name, endpoint] of Object.entries(networks)) {
      if (builtIn.includes(name) || name.startsWith('container:')) continue;
      networks[name] = { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...own])] };
    }
  }
  if (x.before('1.44')) {
    for (const [name, endpoint] of Object.entries(networks)) networks[name] = { ...endpoint, DNSNames: undefined };
  }
  if (x.before('1.48')) {
    for (const [name, endpoint] of Object.entries(networks)) networks[name] = { ...endpoint, GwPriority: undefined };
  }
  shaped.NetworkSettings = { ...container.NetworkSettings, Networks: networks };
  if (!x.before('1.52')) {
    const { OnBuild, MacAddress: _, ...config } = container.Config;
    return { ...shaped, Config: { ...config, ...(OnBuild && OnBuild.length > 0 && { OnBuild }) } };
  }
  shaped.NetworkSettings = { ...flatSettings(networks.bridge), ...shaped.NetworkSettings };
  if (!x.before('1.22')) return shaped;
  // As Docker 1.9 had it.
  return {
    ...shaped,
    ExecDriver: 'native-0.2',
    Config: { ...shaped.Config, VolumeDriver: shaped.HostConfig.VolumeDriver },
  };
}

/** Before there were networks, the default bridge's endpoint was shown at the top; it was so up to 1.51. */
function flatSettings(bridge: EndpointSettings = {}): object {
  return {
    Bridge: '',
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge.EndpointID ?? '',
    Gateway: bridge.Gateway ?? '',
    GlobalIPv6Address: bridge.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge.IPAddress ?? '',
    IPPrefixLen: bridge.IPPrefixLen ?? 0,
    IPv6Gateway: bridge.IPv6Gateway ?? '',
    MacAddress: bridge.MacAddress ?? '',
  };
}

import type { ContainerCreateRequest, HostConfig, Mount } from '@cleat/protocol/api/container';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';
import { interfaceSysctlWarnings } from './interface-sysctls.js';
import { moveLegacyResources } from './legacy-resources.js';

type Version = Pick<Exchange, 'before'>;

/**
 * Reads a body as the client's version means it: fields that came later are ignored or refused, defaults are those of
 * the time (source: moby `daemon/server/router/container/container_routes.go`, postContainersCreate).
 * @returns warnings for the client.
 * @throws InvalidParameter
 */
export function applyVersion(x: Version, request: ContainerCreateRequest): string[] {
  const host: HostConfig = request.HostConfig ?? {};
  request.HostConfig = host;
  if (!host.NetworkMode || host.NetworkMode === 'default') host.NetworkMode = 'bridge';
  const networking = request.NetworkingConfig ?? {};
  request.NetworkingConfig = networking;
  const endpoints = networking.EndpointsConfig ?? {};
  networking.EndpointsConfig = endpoints;
  if (endpoints.default !== undefined) {
    endpoints[host.NetworkMode] = endpoints.default;
    delete endpoints.default;
  }

  moveLegacyResources(request, host);
  for (const mount of host.Mounts ?? []) applyMountVersion(x, mount);
  if (x.before('1.40') && !host.IpcMode) host.IpcMode = 'shareable';
  if (x.before('1.41') && !host.CgroupnsMode) host.CgroupnsMode = 'host';
  if (x.before('1.42')) delete host.ConsoleSize;
  else delete host.KernelMemory;
  if (x.before('1.43')) delete host.Annotations;
  if (x.before('1.44')) {
    if (request.Healthcheck) delete request.Healthcheck.StartInterval;
    const names = Object.keys(endpoints);
    if (names.length > 1) {
      throw invalidParameter(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`);
    }
  }
  if (x.before('1.48')) for (const endpoint of Object.values(endpoints)) delete endpoint?.GwPriority;
  if (x.before('1.56')) delete host.Umask;
  // Clients of 2015 always send a swappiness.
  if (host.MemorySwappiness === -1) delete host.MemorySwappiness;
  // Every number below 1 means unlimited.
  if (typeof host.PidsLimit === 'number' && host.PidsLimit <= 0) delete host.PidsLimit;
  return [
    ...volumeDriverWarnings(x, host),
    ...macAddressWarnings(x, request, host.NetworkMode),
    ...interfaceSysctlWarnings(x, host, endpoints),
    ...portBindingWarnings(x, host),
  ];
}

/** An empty list of bindings publishes the port as one unspecified binding does. */
function portBindingWarnings(x: Version, { PortBindings: ports }: HostConfig): string[] {
  const empty = Object.keys(ports ?? {}).filter((port) => (ports?.[port] ?? []).length === 0);
  for (const port of empty) if (ports) ports[port] = [{}];
  if (empty.length === 0 || x.before('1.52')) return [];
  return [
    `Following container port(s) have an empty list of port-bindings: ${empty.join(', ')}. Such bindings will be discarded in a future version.`,
  ];
}

function applyMountVersion(x: Version, mount: Mount): void {
  const { BindOptions: bind } = mount;
  if (bind && x.before('1.40')) delete bind.NonRecursive;
  if (x.before('1.42')) {
    if (bind) delete bind.CreateMountpoint;
    if (mount.Type !== 'volume') delete mount.VolumeOptions;
    if (mount.Type !== 'tmpfs') delete mount.TmpfsOptions;
  } else {
    for (const [key, type] of [
      ['VolumeOptions', 'volume'],
      ['BindOptions', 'bind'],
      ['TmpfsOptions', 'tmpfs'],
    ] as const) {
      if (mount[key] && mount.Type !== type) {
        throw invalidParameter(`${key} must not be specified on mount type "${mount.Type ?? ''}"`);
      }
    }
  }
  if (bind && x.before('1.44') && mount.Type === 'bind') {
    if (bind.ReadOnlyForceRecursive) {
      throw invalidParameter('BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer');
    }
  }
  if (mount.VolumeOptions?.Subpath && x.before('1.45')) {
    throw invalidParameter('VolumeOptions.Subpath needs API v1.45 or newer');
  }
  if (mount.Type === 'image' && x.before('1.48')) {
    throw invalidParameter('Mount type "Image" needs API v1.48 or newer');
  }
}

/** The container-wide MacAddress became the endpoint's with API 1.44; what older clients send is moved there. */
function macAddressWarnings(x: Version, request: ContainerCreateRequest, mode: string): string[] {
  const address = request.MacAddress;
  // Before, an endpoint's own was not heeded.
  if (x.before('1.44')) {
    for (const endpoint of Object.values(request.NetworkingConfig?.EndpointsConfig ?? {})) delete endpoint?.MacAddress;
  }
  if (!address) return [];
  if (!x.before('1.52')) {
    throw invalidParameter('container-wide MAC address no longer supported; use endpoint-specific MAC address instead');
  }
  const endpoints = request.NetworkingConfig?.EndpointsConfig ?? {};
  if (mode !== 'host' && mode !== 'none' && !mode.startsWith('container:')) {
    const [only] = Object.keys(endpoints);
    const key = x.before('1.44') && only !== undefined ? only : mode;
    if (only !== undefined && endpoints[key] === undefined) {
      throw invalidParameter(
        'unable to migrate container-wide MAC address to a specific network: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks',
      );
    }
    const endpoint = endpoints[key] ?? {};
    if (endpoint.MacAddress && endpoint.MacAddress !== address) {
      throw invalidParameter(
        'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
      );
    }
    endpoints[key] = { ...endpoint, MacAddress: address };
  } else if (x.before('1.44')) {
    throw invalidParameter('conflicting options: mac-address and the network mode');
  }
  return x.before('1.44')
    ? []
    : ['The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.'];
}

function volumeDriverWarnings(x: Version, host: HostConfig): string[] {
  const ignored = (host.Mounts ?? []).some(
    (mount) => mount.Type === 'volume' && !mount.VolumeOptions?.DriverConfig?.Name,
  );
  if (!host.VolumeDriver || x.before('1.48') || !ignored) return [];
  return [
    "WARNING: the container-wide volume-driver configuration is ignored for volumes specified via 'mount'. Use '--mount type=volume,volume-driver=...' instead",
  ];
}

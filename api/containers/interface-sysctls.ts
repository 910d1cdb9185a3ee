import type { HostConfig } from '@cleat/protocol/api/container';
import type { EndpointSettings } from '@cleat/protocol/api/network';
import { invalidParameter } from '@cleat/protocol/errors';
import { netlabel } from '@cleat/protocol/kinds/network';
import type { Exchange } from '../http/exchange.js';

/**
 * Sysctls of an interface belong to its endpoint since API 1.46, as interfaces come after the container's own sysctls.
 * What clients up to 1.47 set for `eth0` is moved there (moby `handleSysctlBC`).
 * @returns warnings for the client
 * @throws InvalidParameter
 */
export function interfaceSysctlWarnings(
  x: Pick<Exchange, 'before'>,
  host: HostConfig,
  endpoints: Record<string, EndpointSettings | null>,
): string[] {
  const mode = host.NetworkMode ?? '';
  if (mode === 'host' || mode.startsWith('container:')) return [];
  const moved = Object.keys(host.Sysctls ?? {}).filter((name) => /^net\.[^.]*\.[^.]*\.eth[^.]*\../.test(name));
  const [first] = moved;
  if (first === undefined) return [];
  const option = netlabel.endpointSysctls;
  if (!x.before('1.48')) {
    throw invalidParameter(
      `interface specific sysctl setting ${JSON.stringify(first)} must be supplied using driver option '${option}'`,
    );
  }
  const other = moved.find((name) => name.split('.')[3] !== 'eth0');
  if (other !== undefined) {
    throw invalidParameter(
      `unable to determine network endpoint for sysctl ${other}, use driver option '${option}' to set per-interface sysctls`,
    );
  }
  const key = mainEndpoint(x, mode, endpoints, first);
  const endpoint = endpoints[key] ?? {};
  const settings = moved.map((name) => {
    const [, family = '', group = '', , ...rest] = name.split('.');
    return `net.${family}.${group}.IFNAME.${rest.join('.')}=${host.Sysctls?.[name] ?? ''}`;
  });
  const given = endpoint.DriverOpts?.[option];
  endpoints[key] = {
    ...endpoint,
    DriverOpts: { ...endpoint.DriverOpts, [option]: [...settings, ...(given ? [given] : [])].join(',') },
  };
  for (const name of moved) delete host.Sysctls?.[name];
  return [
    `Migrated sysctl ${JSON.stringify(moved.join(','))} to DriverOpts{${JSON.stringify(option)}:${JSON.stringify(settings.join(','))}}.`,
  ];
}

/** The endpoint that settings of the container are meant for. @throws InvalidParameter when that is not clear */
function mainEndpoint(
  x: Pick<Exchange, 'before'>,
  mode: string,
  endpoints: Record<string, EndpointSettings | null>,
  sysctl: string,
): string {
  const [only] = Object.keys(endpoints);
  if (only === undefined || endpoints[mode] !== undefined) return mode;
  if (x.before('1.44')) return only;
  throw invalidParameter(
    `unable to find a network for sysctl ${sysctl}: HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks`,
  );
}

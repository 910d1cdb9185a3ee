import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { invalidParameter, systemError } from '@cleat/protocol/errors';
import type { RegistriesConfig } from '../config.js';

/** One way to reach a registry. */
export interface Endpoint {
  /** `https://registry-1.docker.io`, without a path except a mirror's. */
  base: URL;
  /** Any certificate will do. */
  insecure: boolean;
  /** A failure of a mirror is no failure of the pull. */
  mirror: boolean;
}

const hub = 'https://registry-1.docker.io';

/**
 * Where to look for the images of `domain`, in this order (moby `daemon/pkg/registry`): mirrors (only of Docker Hub),
 * HTTPS, and plain HTTP for registries on loopback and those that the operator declared insecure.
 */
export async function endpointsOf(
  domain: string,
  config: Pick<RegistriesConfig, 'insecureRegistries' | 'registryMirrors'>,
): Promise<Endpoint[]> {
  if (domain === 'docker.io') {
    const mirrors = await Promise.all(
      config.registryMirrors.map((mirror) => mirrorEndpoint(mirror, config.insecureRegistries)),
    );
    return [...mirrors, { base: new URL(hub), insecure: false, mirror: false }];
  }
  const insecure = await isInsecure(domain, config.insecureRegistries);
  const secureEndpoint = { base: baseOf('https', domain), insecure, mirror: false };
  return insecure ? [secureEndpoint, { base: baseOf('http', domain), insecure, mirror: false }] : [secureEndpoint];
}

/**
 * A reference's domain may be no host of a URL: `10.0.0.300`, or one with a port that there is not. In Go's words, which
 * finds that out when it connects.
 * @throws System
 */
function baseOf(scheme: 'http' | 'https', domain: string): URL {
  const text = `${scheme}://${domain}`;
  if (URL.canParse(text)) return new URL(text);
  const [host, port] = domain.split(/:(\d+)$/);
  const why = Number(port) > 65_535 ? `address ${port}: invalid port` : `lookup ${host}: no such host`;
  throw systemError(`Get "${text}/v2/": dial tcp: ${why}`);
}

/** A mirror, too, is insecure where the operator says so of its host. */
async function mirrorEndpoint(mirror: string, declared: readonly string[]): Promise<Endpoint> {
  if (!URL.canParse(mirror)) throw invalidParameter(`invalid mirror: "${mirror}" is not a URL`);
  const base = new URL(mirror);
  return { base, insecure: await isInsecure(base.host, declared), mirror: true };
}

/** Whether a registry (`host[:port]`) may be spoken to without a valid certificate. */
export async function isInsecure(domain: string, declared: readonly string[]): Promise<boolean> {
  if (declared.includes(domain)) return true;
  const host = baseOf('https', domain).hostname.replace(/^\[|\]$/g, '');
  if (declared.includes(host) || host === 'localhost') return true;
  const networks = new BlockList();
  networks.addSubnet('127.0.0.0', 8, 'ipv4');
  networks.addAddress('::1', 'ipv6');
  for (const entry of declared) addNetwork(networks, entry);
  const addresses = isIP(host) ? [host] : await addressesOf(host);
  return addresses.some((address) => networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'));
}

function addNetwork(networks: BlockList, entry: string): void {
  const [address = '', prefix] = entry.split('/');
  const family = isIP(address);
  if (prefix === undefined || family === 0) return;
  networks.addSubnet(address, Number(prefix), family === 6 ? 'ipv6' : 'ipv4');
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    // A name that does not resolve is no insecure registry; connecting to it will say what is wrong.
    return [];
  }
}

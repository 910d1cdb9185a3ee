import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { isLoopback } from './hosts.js';
import { UsageError } from './options/parse.js';
import type { Settings } from './settings.js';

/**
 * Everybody who can reach a TCP socket without TLS is root on this host. So beyond loopback it is refused unless asked
 * for, and on a bridge's own address, where containers reach it (CVE-2025-9074), unless asked for by the clearest of
 * names.
 * @returns warnings for what was asked for.
 * @throws UsageError
 */
export function checkExposure({ hosts, tls, plainTcp, values }: Settings): string[] {
  const warnings: string[] = [];
  for (const host of hosts) {
    if (host.kind !== 'tcp' || tls === 'verify' || isLoopback(host.host)) continue;
    const what = tls === 'on' ? 'does not verify its clients (--tlsverify=false)' : 'has no TLS';
    const bridge = bridgeOf(host.host);
    if (bridge !== undefined && !values['insecure-tcp']) {
      throw new UsageError(
        `${host.text} ${what}, and ${host.host} is the address of the bridge ${bridge}: every container on it would be root here. ` +
          'Use --tlsverify, or --insecure-tcp if this is what you want',
      );
    }
    if (tls === 'off' && !plainTcp) {
      throw new UsageError(
        `${host.text} ${what}: anybody who reaches it would be root here. ` +
          'Use --tlsverify with certificates, or 127.0.0.1 as address, or --tls=false if this is what you want',
      );
    }
    warnings.push(`the API on ${host.text} ${what}: anybody who reaches it, containers included, is root on this host`);
  }
  return warnings;
}

/** The bridge device that holds an address, if one does. */
function bridgeOf(address: string): string | undefined {
  return Object.entries(networkInterfaces()).find(
    ([device, addresses]) =>
      existsSync(`/sys/class/net/${device}/bridge`) && addresses?.some((one) => one.address === address),
  )?.[0];
}

/**
 * The same for the engine's own bridges, which are known once its networks are up.
 * @throws UsageError
 */
export function checkOwnBridges({ hosts, tls, values }: Settings, isBridgeAddress: (address: string) => boolean): void {
  if (values['insecure-tcp'] || tls === 'verify') return;
  const host = hosts.find((one) => one.kind === 'tcp' && isBridgeAddress(one.host));
  if (host === undefined) return;
  throw new UsageError(
    `${host.text} is on a network of containers, and every one of them would be root here. ` +
      'Use --tlsverify, or --insecure-tcp if this is what you want',
  );
}

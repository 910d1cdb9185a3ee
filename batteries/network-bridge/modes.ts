import type { GatewayMode, GatewayModes } from '@cleat/linux/firewall/ruleset';
import { overlaps, parseCidr } from '@cleat/protocol/cidr';
import { invalidParameter } from '@cleat/protocol/errors';
import type { NetworkRecord } from './state.js';

/* Docker's gateway modes: how containers are reached from beyond their network, and reach out (moby `bridge_linux.go`). */

const modes: readonly string[] = ['nat', 'nat-unprotected', 'routed', 'isolated'] satisfies GatewayMode[];
const isMode = (text: string): text is GatewayMode => modes.includes(text);
export const gatewayModeOption = (family: 'ipv4' | 'ipv6') => `com.docker.network.bridge.gateway_mode_${family}`;
export const inhibitIPv4 = 'com.docker.network.bridge.inhibit_ipv4';
export const trustedInterfaces = 'com.docker.network.bridge.trusted_host_interfaces';

/** @throws InvalidParameter in moby's words */
export function readModes(options: Readonly<Record<string, string>>, internal: boolean): GatewayModes {
  const read = (family: 'ipv4' | 'ipv6'): GatewayModes => {
    const key = gatewayModeOption(family);
    const value = options[key] ?? '';
    if (value === '') return {};
    if (!isMode(value))
      throw invalidParameter(`failed to parse ${key} value: ${value} (unknown gateway mode ${value})`);
    if (value === 'isolated' && !internal) {
      throw invalidParameter("gateway mode 'isolated' can only be used for an internal network");
    }
    return value === 'nat' ? {} : { [family]: value };
  };
  return { ...read('ipv4'), ...read('ipv6') };
}

/** Interfaces from which published ports are reached by the containers' own addresses. @throws InvalidParameter */
export function readTrusted(text: string): string[] {
  const names = text.split(':').filter(Boolean);
  for (const name of names) {
    if (!/^[\w.@+-]{1,15}$/.test(name))
      throw invalidParameter(`invalid interface name in ${trustedInterfaces}: ${name}`);
  }
  return names;
}

/** The addresses that the bridge itself has: its gateways', unless the host is to have none there. */
export const deviceAddresses = ({ gateways, modes: { ipv4, ipv6 } = {}, inhibitIPv4: inhibits }: NetworkRecord) =>
  gateways.filter((gateway) =>
    gateway.includes(':') ? ipv6 !== 'isolated' : ipv4 !== 'isolated' && !(inhibits ?? false),
  );

const linkLocal = parseCidr('fe80::/64').block;

/** As moby `validateIPv6Subnet`. @throws InvalidParameter */
export function checkSubnet(cidr: string): void {
  const { block } = parseCidr(cidr);
  if (block.family === 4) return;
  if (block.value >> 120n === 0xffn) throw invalidParameter(`multicast subnet '${cidr}' is not allowed`);
  const isLinkLocal = block.prefix === linkLocal.prefix && block.value === linkLocal.value;
  if (overlaps(block, linkLocal) && !isLinkLocal) {
    throw invalidParameter(`'${cidr}' clashes with the Link-Local prefix 'fe80::/64'`);
  }
}

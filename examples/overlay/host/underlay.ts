import { networkInterfaces } from 'node:os';
import { linkFacts } from '@cleat/linux/net/facts';
import { invalidParameter } from '@cleat/sdk';

/** Bytes by which packets grow on their way (RFC 7348; https://www.wireguard.com/protocol). */
const vxlanOver4 = 50;
const vxlanOver6 = 70;
const wireguardOver4 = 60;
const wireguardOver6 = 80;

/** Through WireGuard, VXLAN runs over the tunnel's own IPv6 addresses. */
export function mtuOf(underlay: number, address: string, encrypted: boolean): number {
  const over6 = address.includes(':');
  if (!encrypted) return underlay - (over6 ? vxlanOver6 : vxlanOver4);
  return tunnelMtu(underlay, address) - vxlanOver6;
}

/** The MTU of the WireGuard link itself. */
export function tunnelMtu(underlay: number, address: string): number {
  return underlay - (address.includes(':') ? wireguardOver6 : wireguardOver4);
}

/** The MTU of the link that has that address. @throws InvalidParameter when this host does not have it */
export async function underlayMtu(address: string): Promise<number> {
  const links = Object.entries(networkInterfaces());
  const [link] = links.find(([, addresses]) => addresses?.some((one) => one.address === address)) ?? [];
  if (link === undefined) throw invalidParameter(`this host has no address ${address}: say its own with --address`);
  return (await linkFacts(link))?.mtu ?? 1500;
}

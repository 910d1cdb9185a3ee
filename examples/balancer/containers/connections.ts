import { readFile } from 'node:fs/promises';
import { isIPv4, SocketAddress } from 'node:net';
import type { Address } from '../model/model.js';

/** The state of a connection over which both sides may still speak (`net/tcp_states.h`). */
const established = '01';

/** How many connections lead from here to an address. There is one per request, so these are under way. */
export async function connectionsTo(address: Address): Promise<number> {
  const table = await readFile(isIPv4(address.ip) ? '/proc/net/tcp' : '/proc/net/tcp6', 'latin1');
  return countTo(table, address);
}

/** @param table as in proc_net_tcp: a head, and a line per connection with both addresses in hexadecimal digits */
export function countTo(table: string, address: Address): number {
  const wanted = kernelText(address);
  return table.split('\n').filter((line) => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return remote === wanted && state === established;
  }).length;
}

/** As the kernel prints it: 32-bit words of the host, which is little-endian, and the port. */
function kernelText({ ip, port }: Address): string {
  const words = bytesOf(ip).map((_, at, bytes) => (at % 4 === 0 ? bytes.slice(at, at + 4).reverse() : []));
  const text = words.flat().map((byte) => byte.toString(16).padStart(2, '0'));
  return `${text.join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
}

function bytesOf(ip: string): number[] {
  if (isIPv4(ip)) return ip.split('.').map(Number);
  const { address } = new SocketAddress({ address: ip, family: 'ipv6' });
  const [head = '', tail] = address.split('::');
  const parts = (text: string) => text.split(':').filter(Boolean);
  const missing = 8 - parts(head).length - parts(tail ?? '').length;
  const all = [...parts(head), ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...parts(tail ?? '')];
  return all.flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255]);
}

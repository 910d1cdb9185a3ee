import { isIPv4, isIPv6 } from 'node:net';
import { invalidParameter } from './errors.js';

/** An address with its family; `value` is the address as a number. */
export interface Address {
  readonly family: 4 | 6;
  readonly value: bigint;
}

/** A block of addresses, `prefix` bits of which are the network's. `value` is its first address. */
export interface Block extends Address {
  readonly prefix: number;
}

const bits = (family: 4 | 6): number => (family === 4 ? 32 : 128);

/** @throws InvalidParameter `invalid IP address: X` */
export function parseAddress(text: string): Address {
  const address = tryParseAddress(text);
  if (!address) throw invalidParameter(`invalid IP address: ${text}`);
  return address;
}

export function tryParseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((n, part) => n * 256n + BigInt(part), 0n) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return { family: 6, value: parseSix(text) };
}

function parseSix(text: string): bigint {
  const dotted = text.lastIndexOf('.') > 0 ? text.slice(text.lastIndexOf(':') + 1) : '';
  let plain = text;
  if (dotted) {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split('.').map(Number);
    plain = `${text.slice(0, -dotted.length)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  }
  const [head = '', tail] = plain.split('::');
  const left = head ? head.split(':') : [];
  const right = tail ? tail.split(':') : [];
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return groups.reduce((n, group) => n * 65536n + BigInt(`0x${group}`), 0n);
}

/** The address as text, IPv6 in its shortest form. */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((value >> BigInt(16 * (7 - at))) & 0xffffn).toString(16));
  const long = groups.join(':');
  let longest = '';
  for (const [zeros] of `:${long}:`.matchAll(/(?::0)+(?=:)/g)) {
    if (zeros.length > longest.length && zeros.length > 2) longest = zeros;
  }
  if (!longest) return long;
  return `:${long}:`
    .replace(`${longest}:`, '::')
    .replace(/^:(?!:)/, '')
    .replace(/(?<!:):$/, '');
}

/** The address as 4 or 16 bytes in network order. @throws InvalidParameter */
export function addressBytes(text: string): Uint8Array {
  if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number);
  const { family, value } = parseAddress(text);
  const size = family === 4 ? 4 : 16;
  return Uint8Array.from({ length: size }, (_, at) => Number((value >> BigInt(8 * (size - 1 - at))) & 255n));
}

/**
 * Parses `10.1.2.3/16`. @returns the block and the address as written (host bits included)
 * @throws InvalidParameter `invalid CIDR address: X`
 */
export function parseCidr(text: string): { block: Block; address: Address } {
  const parsed = tryParseCidr(text);
  if (!parsed) throw invalidParameter(`invalid CIDR address: ${text}`);
  return parsed;
}

export function tryParseCidr(text: string): { block: Block; address: Address } | undefined {
  const slash = text.lastIndexOf('/');
  const address = slash > 0 ? tryParseAddress(text.slice(0, slash)) : undefined;
  const prefix = text.slice(slash + 1);
  if (!address || !/^\d{1,3}$/.test(prefix) || Number(prefix) > bits(address.family)) return undefined;
  return { block: blockOf(address, Number(prefix)), address };
}

/** The block of that prefix length which holds the address. */
export function blockOf(address: Address, prefix: number): Block {
  const host = BigInt(bits(address.family) - prefix);
  return { family: address.family, value: (address.value >> host) << host, prefix };
}

export const formatBlock = (block: Block): string => `${formatAddress(block)}/${block.prefix}`;

/** How many addresses the block holds. */
export const sizeOf = (block: Block): bigint => 1n << BigInt(bits(block.family) - block.prefix);

/** The block's last address. */
export const lastOf = (block: Block): Address => ({
  family: block.family,
  value: block.value + sizeOf(block) - 1n,
});

export function contains(block: Block, address: Address): boolean {
  return block.family === address.family && address.value >= block.value && address.value < block.value + sizeOf(block);
}

export function overlaps(a: Block, b: Block): boolean {
  return contains(a, b) || contains(b, a);
}

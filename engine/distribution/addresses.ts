import { BlockList, isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Loopback, and what the kernel takes for this host. */
const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addSubnet('0.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');
loopback.addAddress('::', 'ipv6');

/** Addresses at which clouds serve this host alone (metadata, with its credentials). */
const metadata = new BlockList();
metadata.addSubnet('169.254.0.0', 16, 'ipv4');
metadata.addAddress('100.100.100.200', 'ipv4');
metadata.addAddress('192.0.0.192', 'ipv4');
metadata.addSubnet('fe80::', 10, 'ipv6');
metadata.addAddress('fd00:ec2::254', 'ipv6');
metadata.addAddress('fd20:ce::254', 'ipv6');

/**
 * The IPv4 address inside an IPv6 one: mapped (`::ffff:1.2.3.4`), compatible (`::1.2.3.4`), NAT64 (`64:ff9b::1.2.3.4`)
 * or 6to4 (`2002:102:304::`). The kernel or a gateway leads there.
 */
function embedded(address: string): string | undefined {
  // A URL writes every form as hexadecimal groups.
  const groups = groupsOf(address);
  if (!groups) return undefined;
  const dotted = (high = 0, low = 0) => [high >> 8, high & 255, low >> 8, low & 255].join('.');
  const [a, b, c, d, e, f, g, h] = groups;
  const startsEmpty = a === 0 && b === 0 && c === 0 && d === 0 && e === 0;
  if (startsEmpty && f === 0xffff) return dotted(g, h);
  if (startsEmpty && f === 0 && g !== 0) return dotted(g, h);
  if (a === 0x64 && b === 0xff9b) return dotted(g, h);
  if (a === 0x2002) return dotted(b, c);
  return undefined;
}

function groupsOf(address: string): number[] | undefined {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return undefined;
  const full = new URL(`http://[${plain}]`).hostname.slice(1, -1);
  const [head = '', tail] = full.split('::');
  const parse = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [parse(head), parse(tail ?? '')];
  return tail === undefined ? before : [...before, ...Array(8 - before.length - after.length).fill(0), ...after];
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  if (family === 0) return false;
  if (list.check(address, family === 6 ? 'ipv6' : 'ipv4')) return true;
  const inner = embedded(address);
  return inner !== undefined && list.check(inner, 'ipv4');
}

/** An address of this host, on whichever interface. */
export function isHostAddress(address: string): boolean {
  const [plain = ''] = address.split('%');
  if (isIn(loopback, plain)) return true;
  const own = new BlockList();
  for (const { address: mine, family } of Object.values(networkInterfaces()).flatMap((each) => each ?? [])) {
    own.addAddress(mine, family === 'IPv6' ? 'ipv6' : 'ipv4');
  }
  return isIn(own, plain);
}

/** An address of services that are meant for this host alone. */
export function isMetadataAddress(address: string): boolean {
  return isIn(metadata, address.split('%')[0] ?? '');
}

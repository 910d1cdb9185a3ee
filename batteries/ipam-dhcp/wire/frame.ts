import { addressBytes, macBytes, macText } from './message.js';

/** Both ports of DHCP. */
const port = { server: 67, client: 68 } as const;
export const clientPort = port.client;
export const everybody = { mac: 'ff:ff:ff:ff:ff:ff', address: '255.255.255.255' } as const;

const size = { ethernet: 14, ip: 20, udp: 8 } as const;
const type = { ip: 0x0800, udp: 17 } as const;

export interface Ends {
  readonly mac: string;
  readonly address: string;
}

/** A client's message to a server, in UDP, IPv4 and Ethernet. */
export function encodeFrame(payload: Buffer, from: Ends, to: Ends): Buffer {
  const ethernet = Buffer.concat([macBytes(to.mac), macBytes(from.mac), Buffer.from([type.ip >> 8, type.ip & 255])]);
  const udp = Buffer.alloc(size.udp);
  udp.writeUInt16BE(port.client, 0);
  udp.writeUInt16BE(port.server, 2);
  udp.writeUInt16BE(size.udp + payload.length, 4);
  const ip = Buffer.alloc(size.ip);
  ip.writeUInt8(0x45, 0);
  ip.writeUInt16BE(size.ip + size.udp + payload.length, 2);
  ip.writeUInt8(64, 8);
  ip.writeUInt8(type.udp, 9);
  addressBytes(from.address).copy(ip, 12);
  addressBytes(to.address).copy(ip, 16);
  ip.writeUInt16BE(checksum(ip), 10);
  const pseudo = Buffer.concat([ip.subarray(12, 20), Buffer.from([0, type.udp]), udp.subarray(4, 6)]);
  // 0 would say that there is none.
  udp.writeUInt16BE(checksum(Buffer.concat([pseudo, udp, payload])) || 0xffff, 6);
  return Buffer.concat([ethernet, ip, udp, payload]);
}

/**
 * The message in a server's frame, and the sender's MAC address; undefined for any other frame. Its checksums are not
 * looked at: on virtual links they are not filled in, and Ethernet has one of its own.
 */
export function decodeFrame(frame: Buffer): { payload: Buffer; mac: string } | undefined {
  if (frame.length < size.ethernet + size.ip + size.udp || frame.readUInt16BE(12) !== type.ip) return undefined;
  const packet = frame.subarray(size.ethernet);
  const header = (packet.readUInt8(0) & 15) * 4;
  const length = packet.readUInt16BE(2);
  const isWhole = packet.readUInt8(0) >> 4 === 4 && header >= size.ip && (packet.readUInt16BE(6) & 0x3fff) === 0;
  if (!isWhole || packet.readUInt8(9) !== type.udp || length > packet.length) return undefined;
  const udp = packet.subarray(header, length);
  if (udp.length < size.udp) return undefined;
  const [from, to, bytes] = [udp.readUInt16BE(0), udp.readUInt16BE(2), udp.readUInt16BE(4)];
  if (from !== port.server || to !== port.client || bytes < size.udp || bytes > udp.length) return undefined;
  return { payload: udp.subarray(size.udp, bytes), mac: macText(frame.subarray(6, 12)) };
}

/** The Internet's (RFC 1071). */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

import { LinkFrames } from '@cleat/linux/net/link-frames';
import { addressBytes } from '@cleat/protocol/cidr';

/** As a router of the network that the link is on: says to all that they are to have addresses of a prefix (RFC 4861). */
export function advertise(link: string, prefix: string): void {
  const frames = new LinkFrames(link, 546, { onFrame() {}, onEnd() {} });
  try {
    frames.send(frameOf(prefix));
  } finally {
    frames.close();
  }
}

const everybody = Buffer.from(addressBytes('ff02::1'));
const router = Buffer.from(addressBytes('fe80::aa'));

function frameOf(prefix: string): Buffer {
  const message = Buffer.alloc(48);
  // Its kind, a hop limit of 64, and a router for half an hour.
  message.set([134, 0, 0, 0, 64, 0, 7, 8]);
  // The prefix of 64 bits: on this link, for addresses that each one makes, for an hour, for half an hour.
  message.set([3, 4, 64, 0xc0, 0, 0, 14, 16, 0, 0, 7, 8], 16);
  message.set(addressBytes(prefix), 32);
  const pseudo = Buffer.alloc(8);
  pseudo.writeUInt32BE(message.length);
  pseudo.writeUInt8(58, 7);
  message.writeUInt16BE(checksum(Buffer.concat([router, everybody, pseudo, message])), 2);
  const header = Buffer.from([0x60, 0, 0, 0, 0, message.length, 58, 255]);
  const ethernet = Buffer.from('3333000000010200000000aa86dd', 'hex');
  return Buffer.concat([ethernet, header, router, everybody, message]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

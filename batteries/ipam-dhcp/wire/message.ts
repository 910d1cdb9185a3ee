import { formatAddress } from '@cleat/protocol/cidr';

/**
 * A codec of our own for DHCP messages (RFC 2131, RFC 2132): a few fields and options. The npm package `dhcp` is a server,
 * and checks nothing that it is sent.
 */

/** Kinds of messages that a client sends or gets. */
export const messageType = { discover: 1, offer: 2, request: 3, ack: 5, nak: 6, release: 7 } as const;

/** Numbers of the options that are used here. */
export const option = {
  subnetMask: 1,
  router: 3,
  hostName: 12,
  requestedAddress: 50,
  leaseTime: 51,
  overload: 52,
  messageType: 53,
  serverIdentifier: 54,
  wanted: 55,
  message: 56,
  renewalTime: 58,
  rebindingTime: 59,
  clientIdentifier: 61,
} as const;

export interface DhcpMessage {
  readonly operation: 'request' | 'reply';
  /** Chosen by the client; the answers carry it. */
  readonly transaction: number;
  /** For how long the client has been asking, in seconds. */
  readonly seconds: number;
  /** The client cannot be reached at an address: answers are to go to everybody. */
  readonly broadcast: boolean;
  /** The address that the client has, and the one that it is given; `0.0.0.0`: none. */
  readonly clientAddress: string;
  readonly yourAddress: string;
  readonly mac: string;
  readonly options: ReadonlyMap<number, Buffer>;
}

const cookie = 0x63825363;
const at = { seconds: 8, flags: 10, client: 12, yours: 16, mac: 28, server: 44, file: 108, cookie: 236, options: 240 };
const pad = 0;
const end = 255;
/** Relays may drop what is shorter (RFC 1542). */
const shortest = 300;

/** A message as bytes. */
export function encodeMessage(message: DhcpMessage): Buffer {
  const head = Buffer.alloc(at.options);
  head.writeUInt8(message.operation === 'request' ? 1 : 2, 0);
  // Ethernet, whose addresses have six bytes.
  head.writeUInt8(1, 1);
  head.writeUInt8(6, 2);
  head.writeUInt32BE(message.transaction, 4);
  head.writeUInt16BE(Math.min(message.seconds, 0xffff), at.seconds);
  head.writeUInt16BE(message.broadcast ? 0x8000 : 0, at.flags);
  addressBytes(message.clientAddress).copy(head, at.client);
  addressBytes(message.yourAddress).copy(head, at.yours);
  macBytes(message.mac).copy(head, at.mac);
  head.writeUInt32BE(cookie, at.cookie);
  const options = [...message.options].map(([code, value]) =>
    Buffer.concat([Buffer.from([code, value.length]), value]),
  );
  const bytes = Buffer.concat([head, ...options, Buffer.from([end])]);
  return bytes.length < shortest ? Buffer.concat([bytes], shortest) : bytes;
}

/** @returns the message, or in words why these bytes are none */
export function decodeMessage(bytes: Buffer): DhcpMessage | string {
  if (bytes.length < at.options) return `it has ${bytes.length} bytes`;
  if (bytes.readUInt8(1) !== 1 || bytes.readUInt8(2) !== 6) return 'it is not for Ethernet';
  if (bytes.readUInt32BE(at.cookie) !== cookie) return 'it is no DHCP message';
  const operation = bytes.readUInt8(0);
  if (operation !== 1 && operation !== 2) return `its operation is ${operation}`;
  const options = new Map<number, Buffer>();
  const faulty = readOptions(bytes.subarray(at.options), options) || readOverloaded(bytes, options);
  if (faulty) return faulty;
  return {
    operation: operation === 1 ? 'request' : 'reply',
    transaction: bytes.readUInt32BE(4),
    seconds: bytes.readUInt16BE(at.seconds),
    broadcast: (bytes.readUInt16BE(at.flags) & 0x8000) !== 0,
    clientAddress: addressAt(bytes, at.client),
    yourAddress: addressAt(bytes, at.yours),
    mac: macText(bytes.subarray(at.mac, at.mac + 6)),
    options,
  };
}

/** The fields of file and server name may hold options as well (RFC 2132, 9.3). @returns as {@link readOptions} */
function readOverloaded(bytes: Buffer, options: Map<number, Buffer>): string {
  const overload = options.get(option.overload);
  if (overload === undefined) return '';
  const fields = overload.length === 1 ? overload.readUInt8(0) : 0;
  if (fields < 1 || fields > 3) return 'its option 52 makes no sense';
  const file = fields & 1 ? readOptions(bytes.subarray(at.file, at.cookie), options) : '';
  return file || (fields & 2 ? readOptions(bytes.subarray(at.server, at.file), options) : '');
}

/** An option that comes again continues the one before (RFC 3396). @returns empty, or in words what is wrong */
function readOptions(bytes: Buffer, options: Map<number, Buffer>): string {
  let place = 0;
  while (place < bytes.length) {
    const code = bytes.readUInt8(place++);
    if (code === pad) continue;
    if (code === end) return '';
    const length = place < bytes.length ? bytes.readUInt8(place++) : 256;
    if (place + length > bytes.length) return `its option ${code} is cut short`;
    const value = bytes.subarray(place, place + length);
    options.set(code, Buffer.concat([options.get(code) ?? Buffer.alloc(0), value]));
    place += length;
  }
  return '';
}

/** The option as an address; empty without it, or where its length is no address's. The first one of a list. */
export function addressOption({ options }: DhcpMessage, code: number): string {
  const value = options.get(code);
  return value && value.length >= 4 && value.length % 4 === 0 ? addressAt(value, 0) : '';
}

/** The option as a number of seconds; undefined without it, or where its length is another one's. */
export function secondsOption({ options }: DhcpMessage, code: number): number | undefined {
  const value = options.get(code);
  return value?.length === 4 ? value.readUInt32BE(0) : undefined;
}

/** 0 for a message that says nothing of itself. */
export function typeOf({ options }: DhcpMessage): number {
  const value = options.get(option.messageType);
  return value?.length === 1 ? value.readUInt8(0) : 0;
}

const addressAt = (bytes: Buffer, place: number): string =>
  formatAddress({ family: 4, value: BigInt(bytes.readUInt32BE(place)) });

/** An IPv4 address as its four bytes. */
export const addressBytes = (text: string): Buffer => Buffer.from(text.split('.').map(Number));

export const macBytes = (text: string): Buffer => Buffer.from(text.replaceAll(':', ''), 'hex');
export const macText = (bytes: Buffer): string => (bytes.toString('hex').match(/../g) ?? []).join(':');

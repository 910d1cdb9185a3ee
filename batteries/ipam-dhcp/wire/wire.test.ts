import { describe, expect, test } from 'vitest';
import { decodeFrame, encodeFrame, everybody } from './frame.js';
import {
  addressOption,
  type DhcpMessage,
  decodeMessage,
  encodeMessage,
  messageType,
  option,
  secondsOption,
  typeOf,
} from './message.js';

const message: DhcpMessage = {
  operation: 'reply',
  transaction: 0xfedcba98,
  seconds: 7,
  broadcast: true,
  clientAddress: '0.0.0.0',
  yourAddress: '192.168.1.77',
  mac: '02:42:0a:0b:0c:0d',
  options: new Map([
    [option.messageType, Buffer.from([messageType.offer])],
    [option.router, Buffer.from([192, 168, 1, 1, 192, 168, 1, 2])],
    [option.leaseTime, Buffer.from([0, 0, 14, 16])],
  ]),
};
const bytes = encodeMessage(message);

/** A message with these options, as bytes. */
const withOptions = (...options: number[]): Buffer => Buffer.concat([bytes.subarray(0, 240), Buffer.from(options)]);
const optionsOf = (read: DhcpMessage | string) =>
  typeof read === 'string' ? read : [...read.options].map(([code, value]) => [code, ...value]);

describe('messages', () => {
  test('are read as they were written, and are never shorter than relays take', () => {
    expect(bytes).toHaveLength(300);
    const read = decodeMessage(bytes);
    expect(read).toEqual(message);
    if (typeof read === 'string') return;
    expect(typeOf(read)).toBe(messageType.offer);
    expect(addressOption(read, option.router)).toBe('192.168.1.1');
    expect(secondsOption(read, option.leaseTime)).toBe(3600);
    expect(addressOption(read, option.subnetMask)).toBe('');
    expect(secondsOption(read, option.router)).toBeUndefined();
  });

  test('have options in other fields, too, and in parts', () => {
    const overloaded = withOptions(option.overload, 1, 3, 12, 1, 97, 255);
    overloaded.set([12, 1, 98, 0, 255], 108);
    overloaded.set([12, 1, 99, 56, 0, 255], 44);
    expect(optionsOf(decodeMessage(overloaded))).toEqual([[52, 3], [12, 97, 98, 99], [56]]);
  });

  test.each([
    ['too short', bytes.subarray(0, 239), 'it has 239 bytes'],
    ['no cookie', Buffer.alloc(300, 1), 'it is not for Ethernet'],
    ['another cookie', Buffer.from(bytes).fill(1, 236, 240), 'it is no DHCP message'],
    ['another link', Buffer.from(bytes).fill(16, 2, 3), 'it is not for Ethernet'],
    ['another operation', Buffer.from(bytes).fill(3, 0, 1), 'its operation is 3'],
    ['an option that is longer than the message', withOptions(12, 200, 97), 'its option 12 is cut short'],
    ['an option without a length', withOptions(12), 'its option 12 is cut short'],
    ['an overload of nothing', withOptions(52, 1, 0, 255), 'its option 52 makes no sense'],
    ['an overload that is cut short', Buffer.from(withOptions(52, 1, 1, 255)).fill(9, 108, 236), 'option 9 is cut'],
  ])('%s: is refused', (_, faulty, reason) => {
    expect(decodeMessage(faulty)).toContain(reason);
  });

  test('without options, or without an end of them, say nothing', () => {
    for (const empty of [withOptions(), withOptions(0, 0, 0), withOptions(255)]) {
      expect(optionsOf(decodeMessage(empty))).toEqual([]);
    }
  });
});

describe('frames', () => {
  const from = { mac: '02:42:00:00:00:01', address: '0.0.0.0' };
  const frame = encodeFrame(bytes, from, everybody);

  /** The same as a server sends it. */
  const answer = (change: (frame: Buffer) => unknown = () => {}): Buffer => {
    const copy = Buffer.from(frame);
    copy.writeUInt16BE(67, 34);
    copy.writeUInt16BE(68, 36);
    change(copy);
    return copy;
  };

  test('carry a message', () => {
    expect(frame.subarray(0, 14).toString('hex')).toBe('ffffffffffff0242000000010800');
    expect(frame).toHaveLength(14 + 20 + 8 + 300);
    expect(decodeFrame(answer())).toEqual({ payload: bytes, mac: from.mac });
    // Ethernet fills up what is short.
    expect(decodeFrame(Buffer.concat([answer(), Buffer.alloc(9)]))?.payload).toEqual(bytes);
  });

  test.each([
    ['of another protocol', (copy: Buffer) => copy.writeUInt16BE(0x86dd, 12)],
    ['of IPv6', (copy: Buffer) => copy.writeUInt8(0x65, 14)],
    ['with a header that is too short', (copy: Buffer) => copy.writeUInt8(0x44, 14)],
    ['with a header that is longer than all of it', (copy: Buffer) => copy.writeUInt16BE(22, 16)],
    ['longer than the frame', (copy: Buffer) => copy.writeUInt16BE(2000, 16)],
    ['that is a fragment', (copy: Buffer) => copy.writeUInt16BE(0x2000, 20)],
    ['of TCP', (copy: Buffer) => copy.writeUInt8(6, 23)],
    ['with a length of UDP that is too long', (copy: Buffer) => copy.writeUInt16BE(400, 38)],
    ['with a length of UDP that is too short', (copy: Buffer) => copy.writeUInt16BE(7, 38)],
    ['from another port', (copy: Buffer) => copy.writeUInt16BE(53, 34)],
    ['to another port', (copy: Buffer) => copy.writeUInt16BE(67, 36)],
  ])('%s: is none', (_, change) => {
    expect(decodeFrame(answer(change))).toBeUndefined();
  });

  test('any number of bytes is read without harm', () => {
    for (let length = 0; length <= 60; length++) expect(decodeFrame(answer().subarray(0, length))).toBeUndefined();
    for (let length = 0; length < 300; length++) {
      expect(['string', 'object']).toContain(typeof decodeMessage(bytes.subarray(0, length)));
    }
  });
});

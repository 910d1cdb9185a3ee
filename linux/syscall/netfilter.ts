import { createHash, type Hash } from 'node:crypto';
import { systemError } from '@cleat/protocol/errors';
import {
  aligned,
  attribute,
  attributesOf,
  MESSAGE,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  receive as receiveFrom,
  sendMessage,
  withNetlink,
} from './netlink.js';

const NETLINK_NETFILTER = 12;
const NFPROTO_INET = 1;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
/** NFNL_SUBSYS_NFTABLES << 8; with NFT_MSG_GETCHAIN and its like. */
const NFTABLES = 10 << 8;
const GET = { chain: NFTABLES | 4, rule: NFTABLES | 7, set: NFTABLES | 10, elements: NFTABLES | 13 };
const GET_GENERATION = NFTABLES | 16;
/** nlmsghdr and nfgenmsg. */
const HEADER = MESSAGE + 4;
/** The kernel puts no more than this into one datagram of a dump. */
const DATAGRAM = 32 * 1024;

/** Attributes by their number. In all messages about chains, rules, sets and elements, 1 is the table. */
type Attributes = ReadonlyMap<number, Buffer>;
const TABLE = 1;
/** CHAIN of a rule, NAME of a set, SET of elements; HANDLE of a chain. */
const SECOND = 2;
/** NAME of a chain, HANDLE of a rule, ELEMENTS of a set. */
const THIRD = 3;
const SET_HANDLE = 16;

/**
 * The kernel's generation number of all nftables rules of this namespace; it grows with each change by anybody. A few
 * microseconds, against a process that lists the rules.
 */
export function rulesetGeneration(): number {
  return withSocket((fd) => {
    send(fd, GET_GENERATION, NLM_F_REQUEST);
    const answer = Buffer.alloc(256);
    const length = receive(fd, answer);
    // The first attribute is NFTA_GEN_ID: length, type, then the number in network order.
    if (length < HEADER + 8 || answer.readUInt16LE(4) !== GET_GENERATION - 1) {
      throw systemError('netfilter did not tell the generation of its rules');
    }
    return answer.readUInt32BE(HEADER + 4);
  });
}

/**
 * Equal for the same chains, rules and sets with the same elements in an `inet` table: the kernel numbers all that is
 * made in a table. Rules' counters do not count. Costs a few messages, against a process that lists the table.
 * @throws System where there is no such table
 */
export function tableFingerprint(table: string): string {
  for (let left = attempts; ; left--) {
    try {
      return withSocket((fd) => fingerprint(fd, Buffer.from(`${table}\0`)));
    } catch (error) {
      if (!(error instanceof Interrupted) || left === 1) throw error;
    }
  }
}

/** Others may change rules while the kernel tells them. */
class Interrupted extends Error {}
const attempts = 5;

function fingerprint(fd: number, table: Buffer): string {
  const hash = createHash('sha1');
  const isOurs = (found: Attributes) => found.get(TABLE)?.equals(table) === true;
  // The kernel tells the chains of all tables.
  for (const chain of dump(fd, GET.chain).filter(isOurs)) add(hash, chain, [SECOND, THIRD]);
  for (const rule of dump(fd, GET.rule, table).filter(isOurs)) add(hash, rule, [SECOND, THIRD]);
  for (const set of dump(fd, GET.set, table).filter(isOurs)) {
    add(hash, set, [SECOND, SET_HANDLE]);
    for (const elements of dump(fd, GET.elements, table, set.get(SECOND))) add(hash, elements, [THIRD]);
  }
  return hash.digest('hex');
}

function add(hash: Hash, found: Attributes, which: readonly number[]): void {
  for (const one of which) {
    const value = found.get(one) ?? Buffer.alloc(0);
    hash.update(`${one} ${value.length} `).update(value);
  }
}

/** @param values of the first attributes, in their order */
function dump(fd: number, type: number, ...values: (Buffer | undefined)[]): Attributes[] {
  send(fd, type, NLM_F_REQUEST | NLM_F_DUMP, values);
  const found: Attributes[] = [];
  const buffer = Buffer.alloc(DATAGRAM);
  for (;;) {
    const datagram = buffer.subarray(0, receive(fd, buffer));
    for (let at = 0; at + MESSAGE <= datagram.length; ) {
      const length = datagram.readUInt32LE(at);
      const kind = datagram.readUInt16LE(at + 4);
      if (datagram.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) throw new Interrupted('rules were changed meanwhile');
      if (kind === NLMSG_DONE) return found;
      const isBroken = length < HEADER || at + length > datagram.length;
      if (isBroken || kind === NLMSG_ERROR) throw systemError('netfilter did not tell its rules');
      // A copy, since the next datagram comes to the same place.
      found.push(attributesOf(Buffer.from(datagram.subarray(at + HEADER, at + length))));
      at += aligned(length);
    }
  }
}

/** @param values of the first attributes, in their order */
function send(fd: number, type: number, flags: number, values: readonly (Buffer | undefined)[] = []): void {
  const attributes = values.map((value = Buffer.alloc(0), at) => attribute(at + 1, value));
  sendMessage(fd, subject, type, flags, Buffer.from([NFPROTO_INET, 0, 0, 0]), ...attributes);
}

const subject = 'netfilter';
const receive = (fd: number, into: Buffer): number => receiveFrom(fd, subject, into);
const withSocket = <T>(work: (fd: number) => T): T => withNetlink(NETLINK_NETFILTER, subject, work);

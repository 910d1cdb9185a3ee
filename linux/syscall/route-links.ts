import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError } from '@cleat/protocol/errors';
import { syscallError } from './errno.js';
import { callC, tryC, tryCWithErrno } from './ffi.js';
import {
  AF_NETLINK,
  aligned,
  attribute,
  attributesOf,
  MESSAGE,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  openNetlink,
  receive,
  recv,
  sendMessage,
  withNetlink,
} from './netlink.js';

/* Interfaces by the kernel's own messages (rtnetlink(7)), without a process. */

const NETLINK_ROUTE = 0;
const RTMGRP_LINK = 1;
/** RTNLGRP_IPV4_NETCONF and RTNLGRP_IPV6_NETCONF. */
const GROUPS_NETCONF = (1 << 23) | (1 << 24);
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
/** nlmsghdr and ifinfomsg. */
const HEADER = MESSAGE + 16;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_EXT_MASK = 29;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const IFLA_BRPORT_ISOLATED = 33;
const RTEXT_FILTER_SKIP_STATS = 8;
const AF_BRIDGE = 7;
const IFF_UP = 1;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const MSG_DONTWAIT = 0x40;

export interface LinkState {
  index: number;
  /** Its description, for people and programs; empty: none. */
  alias: string;
  /** Somebody has set it up; its other end may be down. */
  up: boolean;
  /** Index of the bridge or the like that it is a port of; 0: none. */
  master: number;
  /** Settings of a bridge's port; absent where it is none, or the kernel does not tell. */
  hairpin?: boolean;
  isolated?: boolean;
}

/**
 * The interfaces of this process's namespace that have these names, by their names.
 * @throws CleatError System
 */
export function linkStates(names: Iterable<string>): Map<string, LinkState> {
  return withNetlink(NETLINK_ROUTE, 'links', (fd) => {
    const buffer = Buffer.allocUnsafe(16 * 1024);
    const found = new Map<string, LinkState>();
    for (const name of names) {
      const state = ask(fd, name, buffer);
      if (state) found.set(name, state);
    }
    return found;
  });
}

/** One of them; undefined when there is none. @throws CleatError System */
export const linkState = (name: string): LinkState | undefined => linkStates([name]).get(name);

function ask(fd: number, name: string, buffer: Buffer): LinkState | undefined {
  const wanted = [attribute(IFLA_IFNAME, Buffer.from(`${name}\0`)), attribute(IFLA_EXT_MASK, skipStatistics)];
  sendMessage(fd, name, RTM_GETLINK, NLM_F_REQUEST, Buffer.alloc(HEADER - MESSAGE), ...wanted);
  const answer = buffer.subarray(0, receive(fd, name, buffer));
  const kind = answer.readUInt16LE(4);
  if (kind === NLMSG_ERROR) {
    const errno = -answer.readInt32LE(MESSAGE);
    if (errno === constants.errno.ENODEV) return undefined;
    throw syscallError('netlink', name, errno);
  }
  if (kind !== RTM_NEWLINK || answer.length < HEADER) throw systemError(`the kernel did not tell of link ${name}`);
  return stateOf(answer);
}

const skipStatistics = Buffer.from(new Uint32Array([RTEXT_FILTER_SKIP_STATS]).buffer);

function stateOf(message: Buffer): LinkState {
  const all = attributesOf(message.subarray(HEADER));
  const info = attributesOf(all.get(IFLA_LINKINFO) ?? none);
  const port = attributesOf(info.get(IFLA_INFO_SLAVE_DATA) ?? none);
  const [hairpin, isolated] = [IFLA_BRPORT_MODE, IFLA_BRPORT_ISOLATED].map((number) => port.get(number)?.[0]);
  return {
    index: message.readInt32LE(MESSAGE + 4),
    alias: (all.get(IFLA_IFALIAS) ?? none).toString('utf8').replace(/\0.*$/s, ''),
    up: (message.readUInt32LE(MESSAGE + 8) & IFF_UP) !== 0,
    master: all.get(IFLA_MASTER)?.readUInt32LE() ?? 0,
    ...(hairpin === undefined ? {} : { hairpin: hairpin !== 0 }),
    ...(isolated === undefined ? {} : { isolated: isolated !== 0 }),
  };
}

const none = Buffer.alloc(0);

/** So much may wait to be read, some hundred messages; memory is taken for as much as waits. */
const roomBytes = 1024 * 1024;

/**
 * The kernel's messages about interfaces of this namespace that change, from now on.
 * @returns a file descriptor, for {@link changedLinks}
 * @throws CleatError System
 */
export const openLinkMessages = (): number => openMessages(RTMGRP_LINK);

/**
 * Its messages about settings of interfaces such as `forwarding`; not all of them are told.
 * @returns a file descriptor, for {@link takeMessages}
 * @throws CleatError System
 */
export const openSettingMessages = (): number => openMessages(GROUPS_NETCONF);

function openMessages(groups: number): number {
  const fd = openNetlink(NETLINK_ROUTE, 'links');
  try {
    const room = Buffer.alloc(4);
    room.writeInt32LE(roomBytes);
    // Without the privilege, the kernel's default has to do.
    tryC(
      'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
      fd,
      SOL_SOCKET,
      SO_RCVBUFFORCE,
      room,
      room.length,
    );
    const name = Buffer.alloc(12);
    name.writeUInt16LE(AF_NETLINK, 0);
    name.writeUInt32LE(groups, 8);
    callC('int bind(int fd, const void *name, unsigned int length)', 'links', fd, name, name.length);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Messages beyond that are read the next time. */
const mostAtOnce = 1_000;

/** An interface as it was right after a change. */
export interface LinkChange {
  index: number;
  name: string;
  /** Removed, or moved to another namespace. */
  gone: boolean;
}

/**
 * Reads the messages that have come, without waiting.
 * @returns what they are about, in their order; undefined when messages were lost
 * @throws CleatError System
 */
export function changedLinks(fd: number): LinkChange[] | undefined {
  const changes: LinkChange[] = [];
  const lost = readWaiting(fd, (datagram) => changes.push(...changesIn(datagram))) === 'lost';
  return lost ? undefined : changes;
}

/** Reads the messages that have come, without waiting. @returns whether there were any. @throws CleatError System */
export function takeMessages(fd: number): boolean {
  let any = false;
  const lost = readWaiting(fd, () => (any = true)) === 'lost';
  return any || lost;
}

function readWaiting(fd: number, take: (datagram: Buffer) => void): 'all' | 'lost' {
  const buffer = Buffer.allocUnsafe(8 * 1024);
  let result: 'all' | 'lost' = 'all';
  for (let left = mostAtOnce; left > 0; left--) {
    const length = tryCWithErrno(recv, fd, buffer, buffer.length, MSG_DONTWAIT);
    if (length === -constants.errno.EAGAIN) break;
    if (length === -constants.errno.ENOBUFS) result = 'lost';
    else if (length < 0) throw syscallError('recv', 'links', -length);
    else take(buffer.subarray(0, length));
  }
  return result;
}

function* changesIn(datagram: Buffer): Generator<LinkChange> {
  for (let at = 0; at + HEADER <= datagram.length; ) {
    // The end of a long message may be cut off; its name comes first.
    const length = datagram.readUInt32LE(at);
    if (length < HEADER) return;
    const kind = datagram.readUInt16LE(at + 4);
    if (kind === RTM_NEWLINK || kind === RTM_DELLINK) {
      const index = datagram.readInt32LE(at + MESSAGE + 4);
      const name = attributesOf(datagram.subarray(at + HEADER, at + length)).get(IFLA_IFNAME);
      // A bridge tells in these words that it has lost a port.
      const gone = kind === RTM_DELLINK && datagram.readUInt8(at + MESSAGE) !== AF_BRIDGE;
      if (name) yield { index, name: name.toString('utf8').replace(/\0.*$/s, ''), gone };
    }
    at += aligned(length);
  }
}

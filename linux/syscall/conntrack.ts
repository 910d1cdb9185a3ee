import { closeSync } from 'node:fs';
import { syscallError } from './errno.js';
import { callC } from './ffi.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
/** (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE */
const DELETE_FLOW = (1 << 8) | 2;
const NLM_F_REQUEST_ACK = 1 | 4;
const NESTED = 0x8000;
const ENOENT = 2;

/** A flow as its first packet had it. Addresses have 4 or 16 bytes. */
export interface Flow {
  protocol: number;
  source: Uint8Array;
  destination: Uint8Array;
  sourcePort: number;
  destinationPort: number;
}

/** Makes the kernel forget a flow, so that its next packet is translated by today's rules. One that is gone is fine. */
export function forgetFlow(flow: Flow): void {
  const six = flow.source.length === 16;
  const addresses = [attribute(six ? 3 : 1, flow.source), attribute(six ? 4 : 2, flow.destination)];
  const ports = [
    attribute(1, Uint8Array.of(flow.protocol)),
    attribute(2, bigEndian(flow.sourcePort)),
    attribute(3, bigEndian(flow.destinationPort)),
  ];
  const tuple = attribute(
    1 | NESTED,
    Buffer.concat([attribute(1 | NESTED, Buffer.concat(addresses)), attribute(2 | NESTED, Buffer.concat(ports))]),
  );
  const header = Buffer.alloc(20);
  header.writeUInt32LE(20 + tuple.length, 0);
  header.writeUInt16LE(DELETE_FLOW, 4);
  header.writeUInt16LE(NLM_F_REQUEST_ACK, 6);
  header[16] = six ? 10 : 2;
  const errno = ask(Buffer.concat([header, tuple]));
  if (errno !== 0 && errno !== ENOENT) throw syscallError('netlink', 'conntrack', errno);
}

function ask(request: Buffer): number {
  const socket = 'int socket(int domain, int type, int protocol)';
  const fd = callC(socket, 'conntrack', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER);
  try {
    callC('long send(int fd, const void *data, size_t length, int flags)', 'conntrack', fd, request, request.length, 0);
    const answer = Buffer.alloc(1024);
    callC('long recv(int fd, void *data, size_t length, int flags)', 'conntrack', fd, answer, answer.length, 0);
    // NLMSG_ERROR: the negative errno, or 0 for an acknowledgement, follows the header.
    return -answer.readInt32LE(16);
  } finally {
    closeSync(fd);
  }
}

/** Length (without padding), type, value padded to four bytes. */
function attribute(type: number, value: Uint8Array): Buffer {
  const whole = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  whole.writeUInt16LE(4 + value.length, 0);
  whole.writeUInt16LE(type, 2);
  whole.set(value, 4);
  return whole;
}

function bigEndian(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return bytes;
}

import { closeSync } from 'node:fs';
import { systemError } from '@cleat/protocol/errors';
import { callC } from './ffi.js';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_NETFILTER = 12;
/** (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN */
const GET_GENERATION = (10 << 8) | 16;
const NLM_F_REQUEST = 1;
/** nlmsghdr and nfgenmsg. */
const HEADER = 20;

/**
 * The kernel's generation number of all nftables rules of this namespace; it grows with each change by anybody. A few
 * microseconds, against a process that lists the rules.
 */
export function rulesetGeneration(): number {
  const fd = callC(
    'int socket(int domain, int type, int protocol)',
    'netfilter',
    AF_NETLINK,
    SOCK_RAW_CLOEXEC,
    NETLINK_NETFILTER,
  );
  try {
    const request = Buffer.alloc(HEADER);
    request.writeUInt32LE(HEADER, 0);
    request.writeUInt16LE(GET_GENERATION, 4);
    request.writeUInt16LE(NLM_F_REQUEST, 6);
    callC('long send(int fd, const void *data, size_t length, int flags)', 'netfilter', fd, request, HEADER, 0);
    const answer = Buffer.alloc(256);
    const length = callC('long recv(int fd, void *data, size_t length, int flags)', 'netfilter', fd, answer, 256, 0);
    // The first attribute is NFTA_GEN_ID: length, type, then the number in network order.
    if (answer.readUInt16LE(4) !== GET_GENERATION - 1 || length < HEADER + 8) {
      throw systemError('netfilter did not tell the generation of its rules');
    }
    return answer.readUInt32BE(HEADER + 4);
  } finally {
    closeSync(fd);
  }
}

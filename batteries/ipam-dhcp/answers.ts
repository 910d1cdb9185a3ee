import { blockOf, contains, formatBlock, lastOf, parseAddress, parseCidr } from '@cleat/protocol/cidr';
import { readable } from '@cleat/protocol/untrusted';
import { addressOption, type DhcpMessage, messageType, option, secondsOption, typeOf } from './wire/message.js';

/**
 * Answers of DHCP servers are hostile input: anybody on the network can send one. Each is taken whole, or refused with the
 * reason, and then the next one is waited for.
 */

/** Why an answer is not taken: for the error of a request that gets no better one. */
export class Refusal {
  constructor(readonly reason: string) {}
}

/** An address that a server offers, or gives. */
export interface Offer {
  readonly address: string;
  readonly server: string;
  /** The server's on this link, or a relay's. */
  readonly serverMac: string;
  /** The subnet, as CIDR. */
  readonly subnet: string;
  /** Empty: the server names none. */
  readonly router: string;
  /** How long the address may be used, and when to ask for more, in seconds. */
  readonly seconds: number;
  readonly renewAfter: number;
  readonly rebindAfter: number;
}

/** A lease without an end (RFC 2131, 3.3). */
export const forever = 0xffffffff;
/** Shorter leases would keep this host and its network busy. */
const shortestLease = 5;
/** A network of more addresses, or of fewer, is no LAN. */
const prefixes = { longest: 30, shortest: 8 };

/**
 * Reads an offer, or a server's word that the address is the client's.
 * @param subnet CIDR that it must be in; empty: any
 */
export function readOffer(message: DhcpMessage, serverMac: string, subnet: string): Offer | Refusal {
  const server = addressOption(message, option.serverIdentifier);
  if (!isUnicast(server)) return new Refusal(server ? `the server calls itself ${server}` : 'no server identifier');
  const refused = (what: string) => new Refusal(`server ${server}: ${what}`);
  const { yourAddress: address } = message;
  if (!isUnicast(address)) return refused(`the address ${address}`);
  const mask = addressOption(message, option.subnetMask);
  const prefix = prefixOf(mask);
  if (prefix === undefined) return refused(mask ? `the subnet mask ${mask}` : 'no subnet mask');
  const block = blockOf(parseAddress(address), prefix);
  const router = addressOption(message, option.router);
  if (address === server) return refused(`its own address ${address}`);
  if (address === router) return refused(`the address ${address}, which is the router's`);
  const { value } = parseAddress(address);
  if (value === block.value || value === lastOf(block).value) {
    return refused(`the address ${address}, which is an edge of ${formatBlock(block)}`);
  }
  const found = formatBlock(block);
  if (subnet && !contains(parseCidr(subnet).block, parseAddress(address))) {
    return refused(`the address ${address}, which is not in ${subnet}`);
  }
  if (subnet && found !== subnet) return refused(`the subnet ${found}, not ${subnet}`);
  const times = readTimes(message);
  if (times instanceof Refusal) return refused(times.reason);
  const isNear = isUnicast(router) && contains(block, parseAddress(router));
  return { address, server, serverMac, subnet: found, router: isNear ? router : '', ...times };
}

/** T1 and T2 are the server's, where they make sense; else RFC 2131's. */
function readTimes(message: DhcpMessage): Pick<Offer, 'seconds' | 'renewAfter' | 'rebindAfter'> | Refusal {
  const seconds = secondsOption(message, option.leaseTime);
  if (seconds === undefined) return new Refusal('no lease time');
  if (seconds < shortestLease) return new Refusal(`a lease of ${seconds} s`);
  const half = Math.floor(seconds / 2);
  const most = Math.floor((seconds * 7) / 8);
  const renewAfter = secondsOption(message, option.renewalTime) ?? half;
  const rebindAfter = secondsOption(message, option.rebindingTime) ?? most;
  if (renewAfter < 1 || renewAfter >= rebindAfter || rebindAfter >= seconds) {
    return { seconds, renewAfter: half, rebindAfter: most };
  }
  return { seconds, renewAfter, rebindAfter };
}

/** A server's refusal of a request. */
export interface Nak {
  readonly server: string;
  readonly reason: string;
}

/** @returns undefined for what is none */
export function readNak(message: DhcpMessage): Nak | undefined {
  if (typeOf(message) !== messageType.nak) return undefined;
  const text = message.options.get(option.message)?.toString('latin1') ?? '';
  const reason = readable(text.replace(/\s+/g, ' ').trim(), 80);
  return { server: addressOption(message, option.serverIdentifier), reason };
}

function prefixOf(mask: string): number | undefined {
  if (!mask) return undefined;
  const bits = parseAddress(mask).value.toString(2).padStart(32, '0');
  const prefix = bits.indexOf('0');
  if (!/^1+0+$/.test(bits) || prefix < prefixes.shortest || prefix > prefixes.longest) return undefined;
  return prefix;
}

const special = ['0.0.0.0/8', '127.0.0.0/8', '224.0.0.0/3'].map((cidr) => parseCidr(cidr).block);

/** Whether it can be one host's address. */
function isUnicast(text: string): boolean {
  return text !== '' && !special.some((block) => contains(block, parseAddress(text)));
}

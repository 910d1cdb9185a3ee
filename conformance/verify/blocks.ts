import { parseCidr } from '@cleat/protocol/cidr';
import type { Session } from './session.js';

/**
 * A subnet for what is made here, each time another one: of 198.18.0.0/15, which nobody routes (RFC 2544 keeps it for
 * tests). @returns CIDR of 24 bits
 */
export function freshBlock(session: Session): string {
  const at = (begin(session) + session.next()) % 512;
  return `198.${18 + (at >> 8)}.${at & 255}.0/24`;
}

/** The same for IPv6: a unique local block (RFC 4193). @returns CIDR of 64 bits */
export function freshBlockSix(session: Session): string {
  return `fdc1:ea7:${begin(session).toString(16)}:${session.next().toString(16)}::/64`;
}

/** Other verifications on this host begin elsewhere. */
const begin = ({ prefix }: Session): number => Number.parseInt(prefix.slice(-4), 16);

/** Whether a text is an address with its mask, as `10.0.0.2/24`. */
export function isCidr(text: string): boolean {
  try {
    parseCidr(text);
    return true;
  } catch {
    return false;
  }
}

import { hostname } from 'node:os';
import { contains, formatAddress, parseCidr, tryParseAddress } from '@cleat/protocol/cidr';
import { messageOf } from '@cleat/protocol/errors';
import { namesElsewhereLimits as limits, type NamesElsewhere } from '@cleat/protocol/kinds/network';
import { readNamesElsewhere } from '@cleat/protocol/names-elsewhere';
import { readable } from '@cleat/protocol/untrusted';
import type { Answer } from '../answers.js';
import type { NamedElsewhere } from '../names/messages.js';

/** The endpoints that a line tells of, without odd names and addresses. */
export interface ReadNames {
  endpoints: NamedElsewhere[];
  /** The first thing that is odd; absent: nothing is. */
  complaint?: string;
}

/** Labels of letters, digits, `_` and `-`: what resolvers ask for. */
const dnsName = /^(?=.{1,253}$)[a-z\d_](?:[\w-]{0,62})(?:\.[a-z\d_][\w-]{0,62})*$/i;

/**
 * A line of a driver's answer to WatchNames. A driver may be hostile: addresses are of the network's own subnets, and no
 * name is that of the host.
 * @param pools CIDRs of the network
 * @throws Unavailable for what is no such line
 */
export function readNames(said: Answer, line: string, pools: readonly string[]): ReadNames {
  const blocks = pools.map((pool) => parseCidr(pool).block);
  const reserved = new Set(['localhost', hostname().toLowerCase()]);
  let complaint: string | undefined;
  const odd = (what: string, text: string) => {
    complaint ??= `${what} ${JSON.stringify(readable(text, 80))}`;
    return [];
  };
  const nameIn = (text: string) => {
    if (text.length > 253 || !dnsName.test(text)) return odd('a name that is none of DNS,', text);
    return reserved.has(text.toLowerCase()) ? odd('a name that is not its own,', text) : [text];
  };
  const addressIn = (text: string) => {
    const address = tryParseAddress(text);
    if (!address) return odd('an address that is none,', text);
    const isOurs = blocks.some((block) => contains(block, address));
    return isOurs ? [formatAddress(address)] : odd('an address that is not of the network,', text);
  };
  const told = decoded(said, line);
  refuseMore(said, told.length, limits.endpoints, 'endpoints');
  const endpoints = told.flatMap(({ Names, Addresses }) => {
    refuseMore(said, Names.length, limits.names, 'names of an endpoint');
    refuseMore(said, Addresses.length, limits.addresses, 'addresses of an endpoint');
    const names = [...new Set(Names.flatMap(nameIn))];
    const addresses = [...new Set(Addresses.flatMap(addressIn))];
    return names.length > 0 && addresses.length > 0 ? [{ names, addresses }] : [];
  });
  return complaint === undefined ? { endpoints } : { endpoints, complaint };
}

function decoded(said: Answer, line: string): NamesElsewhere['Endpoints'] {
  try {
    return readNamesElsewhere(line).Endpoints;
  } catch (error) {
    throw said.wrong(`a line that is none of the protocol: ${readable(messageOf(error), 200)}`);
  }
}

function refuseMore(said: Answer, count: number, most: number, what: string): void {
  if (count > most) throw said.wrong(`${count} ${what}, of which at most ${most} are taken`);
}

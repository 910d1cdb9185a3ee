import { formatAddress, tryParseAddress } from '@cleat/protocol/cidr';
import type { Forwarder, Upstream } from './forward.js';
import {
  addressFound,
  answerWith,
  code,
  failure,
  fitted,
  nameFound,
  type Query,
  recordType,
  type Transport,
} from './message.js';

/** How the questions of one container are answered. */
export interface Resolver {
  readonly owner: string;
  /** Addresses of a name of ours; undefined: it is none. @param name in lower case */
  addressesOf(name: string): string[] | undefined;
  nameOf(address: string): string | undefined;
  /** The resolvers for everything else. */
  upstream(): readonly Upstream[];
  /** The user wants short names completed by the search list: they are not asked elsewhere as they are. */
  completesShortNames(): boolean;
  readonly forwarder: Forwarder;
}

/** @returns the answer: our own, or another server's, or SERVFAIL where there is none */
export async function resolve(query: Query, resolver: Resolver, transport: Transport): Promise<Buffer> {
  const own = ownAnswer(query, resolver, transport);
  if (own) return own;
  const { type, name } = query;
  const isAddress = type === recordType.A || type === recordType.AAAA;
  if (isAddress && name && !name.includes('.') && resolver.completesShortNames())
    return answerWith(query, [], transport);
  const answer = await resolver.forwarder.ask(resolver.owner, query, resolver.upstream(), transport);
  return answer ? fitted(answer, query, transport) : failure(query.message, code.serverFailure);
}

/** The answer to a question about our own containers; undefined when it is not about them. */
export function ownAnswer(query: Query, resolver: Resolver, transport: Transport): Buffer | undefined {
  const { name, type, isInternet } = query;
  if (!name || !isInternet) return undefined;
  if (type === recordType.PTR) {
    const address = addressOfReverse(name);
    const host = address && resolver.nameOf(address);
    const found = host ? nameFound(host) : undefined;
    return found && answerWith(query, [found], transport);
  }
  const addresses = resolver.addressesOf(name);
  if (!addresses) return undefined;
  // A name of ours without what is asked for exists all the same: an empty answer, never another server's.
  const found = shuffled(addresses.map(addressFound).filter((one) => type === recordType.ANY || one.type === type));
  return answerWith(query, found, transport);
}

/** Several containers behind one alias take turns. */
function shuffled<T>(list: readonly T[]): readonly T[] {
  if (list.length < 2) return list;
  const drawn = list.map((one) => ({ one, lot: Math.random() }));
  return drawn.sort((a, b) => a.lot - b.lot).map(({ one }) => one);
}

/** `4.3.2.1.in-addr.arpa` → 1.2.3.4; undefined for what is no address. */
function addressOfReverse(name: string): string | undefined {
  const four = /^([\d.]+)\.in-addr\.arpa$/.exec(name)?.[1];
  const six = /^((?:[0-9a-f]\.){31}[0-9a-f])\.ip6\.arpa$/.exec(name)?.[1];
  const backwards = (text: string) => text.split('.').reverse();
  const text = four ? backwards(four).join('.') : (six && backwards(six).join('').match(/.{4}/g)?.join(':')) || '';
  const address = tryParseAddress(text);
  return address && formatAddress(address);
}

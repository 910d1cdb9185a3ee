import { randomBytes } from 'node:crypto';

/** Length of an abbreviated ID, as `docker ps` prints it. */
const shortLength = 12;

declare const ofKind: unique symbol;

/**
 * The full ID of one kind of object. What users write is a name, an ID or the beginning of one: it is looked up where
 * it comes in, and nothing else makes an ID of it; so a name is never compared with an ID, nor one kind's with
 * another's.
 */
type IdOf<Kind extends string> = string & { readonly [ofKind]: Kind };
export type ContainerId = IdOf<'container'>;
export type NetworkId = IdOf<'network'>;
export type PluginId = IdOf<'plugin'>;
/** `sha256:…` of its configuration: neither the digest of its manifest nor that of a layer. */
export type ImageId = IdOf<'image'>;

/**
 * The name of a network. Name and ID are never compared with each other: an ID may be somebody's name for another
 * network.
 */
export type NetworkName = string & { readonly [ofKind]: 'name of a network' };

/** The name of a volume, which alone identifies it; not to be mixed up with its driver's name. */
export type VolumeName = string & { readonly [ofKind]: 'name of a volume' };

/**
 * A new object ID: 64 hexadecimal digits, of which the first twelve are never all decimal, because the abbreviated
 * ID also serves as a host name and an all-numeric one is refused by some resolvers (as moby `pkg/stringid`).
 */
export function newId<Id extends string = string>(): Id {
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(id.slice(0, shortLength))) return id as Id;
  }
}

/** The abbreviated form of an ID: its algorithm prefix (`sha256:`) dropped, then twelve digits. */
export function shortId(id: string): string {
  const colon = id.indexOf(':');
  return id.slice(colon + 1, colon + 1 + shortLength);
}

/** Whether this is a full object ID. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

import { invalidParameter } from '@cleat/protocol/errors';
import { familiar, familiarName, parseReference, type Reference, withDefaultTag } from '../content/references.js';

/**
 * The reference to fetch, and the name of a plugin from there unless its user says otherwise: by a digest it has the tag that
 * stands beside that, or `latest` (moby `daemon/server/router/plugin`, parseRemoteRef and getName).
 * @throws InvalidParameter
 */
export function parseRemote(remote: string): { reference: Reference; name: string } {
  const { tag, digest, ...repository } = parseReference(remote);
  const name = familiar(withDefaultTag({ ...repository, ...(tag !== undefined && { tag }) }));
  if (digest !== undefined) return { reference: { ...repository, digest }, name };
  return { reference: withDefaultTag({ ...repository, ...(tag !== undefined && { tag }) }), name };
}

/** The full name of what a user calls a plugin. @throws InvalidParameter */
export function parseName(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined) throw invalidParameter('cannot use digest in plugin tag');
  return familiar(withDefaultTag(reference));
}

/** The name that a plugin of a registry gets here. @throws InvalidParameter */
export function nameFor(remote: string, name: string): string {
  const own = parseRemote(remote).name;
  return name === '' ? own : parseName(name);
}

/** Under which names a plugin is found: with its tag, and `latest` without. */
export function aliasesOf(name: string): string[] {
  const reference = parseReference(name);
  return reference.tag === 'latest' ? [familiarName(reference)] : [];
}

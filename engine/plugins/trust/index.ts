import { forbidden } from '@cleat/protocol/errors';
import { familiarName, type Reference } from '../../content/references.js';
import type { RegistryClient } from '../../distribution/service.js';
import { fetchSignatures } from './fetch.js';
import { demandOn, type TrustRule } from './rules.js';
import { type TrustKey, verifySignatures } from './verify.js';

export type { TrustRule } from './rules.js';
export type { TrustKey } from './verify.js';

export interface TrustRequest {
  readonly rules: readonly TrustRule[];
  readonly reference: Reference;
  readonly client: RegistryClient;
  /** The digest that the reference leads to and, where that is an index, the manifest in it. One signed is enough. */
  readonly digests: readonly string[];
  readonly signal: AbortSignal;
}

/**
 * Checks that a plugin is one that this host trusts. To be asked when the digests are known, and before anything else of
 * it is fetched.
 * @returns the key that signed it, and when; undefined where no signature is asked for
 * @throws Forbidden, with the reason
 */
export async function checkTrust(request: TrustRequest): Promise<{ key: TrustKey; signedAt?: number } | undefined> {
  const { rules, reference, client, digests, signal } = request;
  const demand = demandOn(rules, reference);
  if (demand.kind === 'nothing') return undefined;
  const refused = (why: string) => forbidden(`plugin ${familiarName(reference)} is not trusted: ${why}`);
  if (demand.kind === 'refused') throw refused(demand.why);
  let why = 'it has no signature';
  for (const digest of new Set(digests)) {
    const verdict = verifySignatures([digest], await fetchSignatures(client, digest, signal), demand.rule.keys);
    if (verdict.trusted) return verdict;
    // The words about a signed one tell more.
    if (why === 'it has no signature') why = verdict.why;
  }
  throw refused(`${why} (rule "${demand.rule.name}" of plugin-trust)`);
}

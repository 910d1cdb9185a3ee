import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { invalidParameter } from '@cleat/protocol/errors';
import { claimIn } from './payload.js';

/** A payload with its signature, as they lie in a registry: foreign bytes. */
export interface Signature {
  readonly payload: Buffer;
  /** Base64. */
  readonly signature: string;
}

export type Verdict =
  | {
      readonly trusted: true;
      /** The key that signed. */
      readonly key: TrustKey;
      /** Seconds since 1970, where it says so. */
      readonly signedAt?: number;
    }
  | { readonly trusted: false /** A phrase: `it has no signature`. */; readonly why: string };

export interface TrustKey {
  /** Where it was read from, for people. */
  readonly name: string;
  readonly key: KeyObject;
}

/** The curve of a key that signatures are made with, in Node's name. */
const curve = 'prime256v1';

/**
 * Reads a publisher's public key: PEM of ed25519 or ECDSA P-256, such as `cosign.pub`. A private key is refused, so that none
 * is copied to a host by mistake.
 * @throws InvalidParameter
 */
export function readPublicKey(pem: string, name: string): TrustKey {
  if (/PRIVATE KEY/.test(pem)) throw invalidParameter(`${name} holds a private key: give the public one`);
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (cause) {
    throw invalidParameter(`${name} holds no public key (PEM)`, { cause });
  }
  if (!isUsable(key)) throw invalidParameter(`${name}: a key must be ed25519 or ECDSA P-256`);
  return { name, key };
}

export function isUsable(key: KeyObject): boolean {
  if (key.asymmetricKeyType === 'ed25519') return true;
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;
}

/**
 * Whether one of the keys has signed one of the digests; of several signatures, the latest. Pure: what is fetched, is fetched before.
 * @param digests those of which one is enough: of an index, and of the manifest in it that is used
 */
export function verifySignatures(
  digests: readonly string[],
  signatures: readonly Signature[],
  keys: readonly TrustKey[],
): Verdict {
  if (signatures.length === 0) return { trusted: false, why: 'it has no signature' };
  let others = 0;
  let latest: Extract<Verdict, { trusted: true }> | undefined;
  for (const { payload, signature } of signatures) {
    const claim = claimIn(payload);
    if (claim === undefined || !digests.includes(claim.digest)) {
      others++;
      continue;
    }
    const key = keys.find((each) => hasSigned(each.key, payload, signature));
    const { signedAt } = claim;
    if (key !== undefined && (!latest || (signedAt ?? -1) > (latest.signedAt ?? -1))) {
      latest = { trusted: true, key, ...(signedAt !== undefined && { signedAt }) };
    }
  }
  if (latest) return latest;
  const why =
    others === signatures.length
      ? 'what is signed there is something else'
      : `it is signed, but with none of the keys ${keys.map(({ name }) => name).join(', ')}`;
  return { trusted: false, why };
}

function hasSigned(key: KeyObject, payload: Buffer, signature: string): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(signature)) return false;
  const bytes = Buffer.from(signature, 'base64');
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', payload, key, bytes);
  } catch {
    // OpenSSL throws for bytes that are no signature at all.
    return false;
  }
}

import { isRecord, parseJson } from '@cleat/protocol/json';
import { isDigest } from '../../content/references.js';

/**
 * Signatures of artifacts as cosign keeps them (sigstore/cosign `specs/SIGNATURE_SPEC.md`): a small document that names a
 * digest is what is signed. It is a layer of an artifact beside the signed one, under a tag that is made of its digest;
 * the signature is an annotation of that layer.
 */
export const signatureFormat = {
  payload: 'application/vnd.dev.cosign.simplesigning.v1+json',
  annotation: 'dev.cosignproject.cosign/signature',
  type: 'cosign container image signature',
} as const;

/** The tag under which the signatures of a digest are. */
export const signatureTag = (digest: string): string => `${digest.replace(':', '-')}.sig`;

/**
 * The document to sign.
 * @param repository with its registry, for people: only the digest decides
 * @param signedAt seconds since 1970, so that an older version can be told from a newer one; where the format has it
 */
export function payloadFor(repository: string, digest: string, signedAt?: number): string {
  return JSON.stringify({
    critical: {
      identity: { 'docker-reference': repository },
      image: { 'docker-manifest-digest': digest },
      type: signatureFormat.type,
    },
    optional: signedAt === undefined ? null : { timestamp: signedAt },
  });
}

/** The statement of a payload. */
export interface Claim {
  readonly digest: string;
  /** Seconds since 1970; absent in those of cosign, unless it was told to. */
  readonly signedAt?: number;
}

/** The largest time that a date can be. */
const maxTime = 8.64e12;

/** Reads the statement of a payload; undefined for any other document. */
export function claimIn(payload: Buffer): Claim | undefined {
  let value: unknown;
  try {
    value = parseJson(payload.toString('utf8'));
  } catch {
    // Foreign bytes: no payload.
    return undefined;
  }
  const critical = isRecord(value) ? value.critical : undefined;
  if (!isRecord(critical) || critical.type !== signatureFormat.type) return undefined;
  const digest = isRecord(critical.image) ? critical.image['docker-manifest-digest'] : undefined;
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined;
  const signedAt = isRecord(value) && isRecord(value.optional) ? timeOf(value.optional.timestamp) : undefined;
  return { digest, ...(signedAt !== undefined && { signedAt }) };
}

/** cosign's `-a timestamp=…` writes it as a text. */
function timeOf(value: unknown): number | undefined {
  const time = typeof value === 'string' && /^\d{1,13}$/.test(value) ? Number(value) : value;
  return typeof time === 'number' && Number.isSafeInteger(time) && time >= 0 && time <= maxTime ? time : undefined;
}

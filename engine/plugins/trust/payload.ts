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

/** The document to sign. @param repository with its registry, for people: only the digest decides */
export function payloadFor(repository: string, digest: string): string {
  return JSON.stringify({
    critical: {
      identity: { 'docker-reference': repository },
      image: { 'docker-manifest-digest': digest },
      type: signatureFormat.type,
    },
    optional: null,
  });
}

/** The digest that a payload speaks of; undefined for any other document. */
export function digestIn(payload: Buffer): string | undefined {
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
  return typeof digest === 'string' && isDigest(digest) ? digest : undefined;
}
